"""Requests to node ports, LoadBalancer Services and NGINX's Ingresses, through a real Envoy."""

from __future__ import annotations

import asyncio
import base64
import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.kubernetes.controllers.load_balancers import rule_name
from sandbox.traffic.load_balancer.surroundings import KeyPair
from sandbox.traffic.runtime import ingresses
from sandbox.traffic.runtime.authority import Authority
from tests.sandbox.traffic.runtime.running import (
    CONTROLLER,
    ONE,
    TWO,
    Json,
    Running,
    ingress,
    nginx,
    node,
    path,
    service,
    slice_of,
)

CLASS = {"metadata": {"name": "nginx"}, "spec": {"controller": CONTROLLER}}


def give_address(one: Running, made: Json, address: str) -> None:
    """What the service controller creates for a LoadBalancer Service."""
    name = rule_name(made)
    pool = f"regions/europe-west4/targetPools/{name}"
    one.put(pool, sessionAffinity="NONE")
    link = f"https://www.googleapis.com/compute/v1/projects/p/{pool}"
    one.put(f"regions/europe-west4/forwardingRules/{name}", IPAddress=address, target=link)


async def pods_of(one: Running, url: str, times: int = 12) -> set[str]:
    return {(await one.get(url)).text.split()[0] for _ in range(times)}


def test_a_node_port_leads_to_all_ready_pods_or_to_the_nodes_own(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Running(tmp_path) as one:
            for name, (_, address) in (("pod-1", ONE), ("pod-2", TWO)):
                await one.pod(name, address)
            all_pods = service("all", "NodePort", ports={"nodePort": 30001})
            own = service(
                "own", "NodePort", ports={"nodePort": 30002}, externalTrafficPolicy="Local"
            )
            slices = [slice_of("all", ONE, TWO), slice_of("own", ONE, TWO)]
            nodes = [node("node-1"), node("node-2")]
            # A front end of any kind starts Envoy.
            one.redirect_to("a.example")
            one.cluster(services=[all_pods, own], slices=slices, nodes=nodes)
            await one.settled()

            def url(of: str, number: int) -> str:
                found = one.frontend(
                    lambda f: f.kind == "node-port" and f.name.startswith(of) and f.port == number
                )
                return f"http://127.0.0.1:{found.listens}/"

            assert await pods_of(one, url("node-1", 30001)) == {"pod-1", "pod-2"}
            assert await pods_of(one, url("node-1", 30002)) == {"pod-1"}
            assert await pods_of(one, url("node-2", 30002)) == {"pod-2"}
            # A pod that is not ready any more gets no new connection.
            slices = [slice_of("all", TWO), slice_of("own", TWO)]
            one.cluster(services=[all_pods, own], slices=slices, nodes=nodes)
            await one.settled()
            assert await pods_of(one, url("node-1", 30001)) == {"pod-2"}
            with pytest.raises(httpx.TransportError):
                await one.get(url("node-1", 30002))

    asyncio.run(scenario())


def test_a_ready_pod_gets_connections_once_its_server_has_begun(tmp_path: Path) -> None:
    # A real pod is ready because its server answers; here the object may be ready a moment earlier.
    async def scenario() -> None:
        async with Running(tmp_path) as one:
            await one.pod("pod-1", ONE[1])
            made = service("mobilenet", "LoadBalancer", ports={"nodePort": 30003})
            give_address(one, made, "127.16.0.2")
            one.cluster(services=[made], slices=[slice_of("mobilenet", ONE, TWO)], nodes=[])
            await one.settled()
            assert await pods_of(one, one.url("service", 80, "/"), 30) == {"pod-1"}
            await one.pod("pod-2", TWO[1])
            await one.settled()
            assert await pods_of(one, one.url("service", 80, "/"), 30) == {"pod-1", "pod-2"}

    asyncio.run(scenario())


def test_a_pod_whose_server_has_not_the_port_refuses(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Running(tmp_path) as one:
            await one.pod("pod-1", ONE[1])
            made = service("mobilenet", "LoadBalancer", ports={"nodePort": 30003})
            give_address(one, made, "127.16.0.2")
            one.cluster(services=[made], slices=[slice_of("mobilenet", ONE, port=1)], nodes=[])
            await one.settled()
            with pytest.raises(httpx.TransportError):
                await one.get(one.url("service", 80, "/"))

    asyncio.run(scenario())


def test_a_load_balancer_service_answers_once_it_has_an_address(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Running(tmp_path) as one:
            await one.pod("pod-1", ONE[1])
            made = service("mobilenet", "LoadBalancer", ports={"nodePort": 30003})
            made["spec"]["sessionAffinity"] = "ClientIP"
            one.redirect_to("a.example")
            one.cluster(services=[made], slices=[slice_of("mobilenet", ONE)], nodes=[])
            assert [f["kind"] for f in (await one.settled())["frontends"]] == ["load-balancer"]
            give_address(one, made, "127.16.0.2")
            found = await one.settled()
            assert (await one.get(one.url("service", 80, "/v1/x"))).text == "pod-1 /v1/x"
            [entry] = [f for f in found["frontends"] if f["kind"] == "service"]
            assert (entry["address"], entry["scheme"]) == ("127.16.0.2", "http")
            declined = [one["field"] for one in found["unsupported"]]
            assert declined == ["spec.sessionAffinity"]

    asyncio.run(scenario())


async def asked_from(one: Running, address: str | None) -> str:
    """The pod that answers a caller at an address; the empty text where none does."""
    listens = one.frontend(lambda front: front.kind == "service").listens
    reader, writer = await asyncio.open_connection("127.0.0.1", listens)
    try:
        if address is not None:
            writer.write(f"PROXY TCP4 {address} 127.16.0.2 4711 80\r\n".encode())
        writer.write(b"GET /v1/x HTTP/1.1\r\nhost: x\r\n\r\n")
        answer = await reader.read()
    except ConnectionError:
        return ""
    finally:
        writer.close()
    return answer.decode().rpartition("\r\n\r\n")[2].partition(" ")[0]


@pytest.mark.parametrize(
    ("ranges", "answered"),
    [
        ([], {None: "pod-1"}),
        (["198.51.100.0/24"], {None: "", "198.51.100.7": "pod-1", "192.0.2.1": ""}),
        (["198.51.100.7/32", "203.0.113.0/24"], {None: "pod-1", "198.51.100.8": ""}),
    ],
)
def test_callers_beyond_the_source_ranges_are_refused(
    tmp_path: Path, ranges: list[str], answered: dict[str | None, str]
) -> None:
    async def scenario() -> None:
        async with Running(tmp_path) as one:
            await one.pod("pod-1", ONE[1])
            made = service("mobilenet", "LoadBalancer", ports={"nodePort": 30003})
            made["spec"]["loadBalancerSourceRanges"] = ranges
            give_address(one, made, "127.16.0.2")
            one.cluster(services=[made], slices=[slice_of("mobilenet", ONE)], nodes=[])
            await one.settled()
            assert {who: await asked_from(one, who) for who in answered} == answered
            # The front end says from where a rehearsal's own callers are let in.
            front = one.frontend(lambda front: front.kind == "service")
            transport = httpx.AsyncHTTPTransport(local_address=front.caller or None)
            async with httpx.AsyncClient(transport=transport, trust_env=False) as client:
                answer = await client.get(f"http://127.0.0.1:{front.listens}/v1/x")
            assert answer.text == "pod-1 /v1/x"

    asyncio.run(scenario())


def test_a_front_end_has_the_names_that_resolve_to_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Running(tmp_path) as one:
            one.redirect_to("a.example")
            key = "dns/projects/p/managedZones/z/rrsets/models.example.|A"
            record = {"name": "models.example.", "type": "A", "rrdatas": ["127.16.0.9"]}
            one.app.state.store.put(key, record)
            await one.settled()
            found = one.frontend(lambda f: f.kind == "load-balancer")
            assert found.hosts == ("*", "models.example")

    asyncio.run(scenario())


async def ingress_scenario(
    one: Running, *found: Json, certificates: list[Json] | None = None
) -> dict[str, Any]:
    controller = service("nginx", "LoadBalancer", ports={"nodePort": 30080})
    controller["spec"]["ports"].append({"name": "https", "port": 443, "protocol": "TCP"})
    models = [service(name, "ClusterIP") for name in ("a", "b", "none")]
    await one.pod("a", ONE[1])
    await one.pod("b", TWO[1])
    give_address(one, controller, "127.16.0.1")
    one.cluster(
        services=[controller, *models],
        slices=[slice_of("a", ONE), slice_of("b", TWO), slice_of("none")],
        ingresses=list(found), classes=[CLASS], deployments=[nginx()],
        certificates=certificates or [],
    )  # fmt: skip
    return await one.settled()


def test_an_ingress_strips_the_path_and_keeps_the_rest(tmp_path: Path) -> None:
    regex = path("/model(/|$)(.*)", "a", kind="ImplementationSpecific")
    other = path("/model/two(/|$)(.*)", "b", kind="ImplementationSpecific")
    settings = {"use_regex": "true", "rewrite_target": "/$2", "proxy_body_size": "1k"}
    rewritten = ingress("a", regex, other, path("/none", "none"), **settings)

    async def scenario() -> None:
        async with Running(tmp_path) as one:
            found = await ingress_scenario(one, rewritten)
            assert found["unsupported"] == []
            for asked, text in {
                "/model/v1/models/x": "a /v1/models/x",
                "/model/v1/models/x?q=/model/y": "a /v1/models/x?q=/model/y",
                "/model": "a /",
                "/MODEL/x": "a /x",  # NGINX's expressions ignore case
                "/model/two/y": "b /y",
            }.items():
                assert (await one.get(one.url("ingress", 80, asked))).text == text, asked
            for asked, status in {"/models": 404, "/x/model/": 404, "/": 404, "/none": 503}.items():
                assert (await one.get(one.url("ingress", 80, asked))).status_code == status, asked
            url = one.url("ingress", 80, "/model/x")
            assert (await one.http.post(url, content=b"x" * 1024)).status_code == 200
            assert (await one.http.post(url, content=b"x" * 1025)).status_code == 413

    asyncio.run(scenario())


def secret(name: str, pair: KeyPair) -> Json:
    texts = {"tls.crt": pair.chain.read_bytes(), "tls.key": pair.key.read_bytes()}
    data = {key: base64.b64encode(text).decode() for key, text in texts.items()}
    return {
        "metadata": {"namespace": "models", "name": name},
        "type": "kubernetes.io/tls",
        "data": data,
    }


def test_an_ingress_with_a_certificate_is_served_by_https_and_redirects_http(
    tmp_path: Path,
) -> None:
    authority = Authority(tmp_path / "authority")
    authority.prepare()
    made = secret("of-a", authority.issue(["a.example"]))
    of_a = ingress("a", path("/", "a"), host="a.example")
    of_a["spec"]["tls"] = [{"hosts": ["a.example"], "secretName": "of-a"}]
    of_b = ingress("b", path("/", "b"), host="b.example")
    of_b["spec"]["tls"] = [{"hosts": ["b.example"], "secretName": "missing"}]

    async def scenario() -> None:
        async with Running(tmp_path) as one:
            found = await ingress_scenario(one, of_a, of_b, certificates=[made])
            declined = [(entry["resource"][-1], entry["why"]) for entry in found["unsupported"]]
            assert declined == [("b", "There is no certificate in the Secret `missing`.")]
            answer = await one.get(one.url("ingress", 80, "/x?y"), host="a.example")
            assert answer.status_code == 308
            assert answer.headers["location"] == "https://a.example/x?y"
            assert (await one.get(one.url("ingress", 80, "/x"), host="b.example")).text == "b /x"
            listens = one.frontend(lambda front: front.port == 443).listens
            trust = ssl.create_default_context(cafile=str(authority.certificate))

            async def ask(host: str) -> httpx.Response:
                async with httpx.AsyncClient(verify=trust, trust_env=False) as client:
                    return await client.get(
                        f"https://127.0.0.1:{listens}/x",
                        headers={"host": host},
                        extensions={"sni_hostname": host},
                    )

            assert (await ask("a.example")).text == "a /x"
            with pytest.raises(httpx.ConnectError, match="certificate"):
                await ask("b.example")  # the controller's own certificate

    asyncio.run(scenario())


def test_hosts_and_kinds_of_paths(tmp_path: Path) -> None:
    hosted = ingress("a", path("/p", "a"), path("/p/exact", "b", kind="Exact"), host="a.example")
    default = ingress("b", path("/", "b"), server_snippet="x")

    async def scenario() -> None:
        async with Running(tmp_path) as one:
            found = await ingress_scenario(one, hosted, default)
            for host, asked, text in [
                ("a.example", "/p", "a /p"),
                ("a.example:8080", "/p/x", "a /p/x"),
                ("a.example", "/p/exact", "b /p/exact"),
                ("a.example", "/p/exact/x", "a /p/exact/x"),
                ("b.example", "/p", "b /p"),
            ]:
                answer = await one.get(one.url("ingress", 80, asked), host=host)
                assert answer.text == text, (host, asked)
            answer = await one.get(one.url("ingress", 80, "/px"), host="a.example")
            assert answer.status_code == 404
            [declined] = found["unsupported"]
            assert declined["field"] == "nginx.ingress.kubernetes.io/server-snippet"
            assert one.frontend(lambda f: (f.kind, f.port) == ("ingress", 80)).hosts == (
                "*",
                "a.example",
            )

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("text", "size"), [("1m", 1 << 20), ("64k", 65536), ("10", 10), ("0", 0), ("8g", (1 << 32) - 1)]
)
def test_sizes_are_nginxs(text: str, size: int) -> None:
    assert ingresses.size(text) == size
