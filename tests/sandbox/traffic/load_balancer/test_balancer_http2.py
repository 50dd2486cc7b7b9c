"""HTTP/2 from a caller through Envoy to a model server, and gRPC beside it."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import replace
from typing import Any

import httpx
import pytest

from cli.traffic import load
from cli.traffic.target import Target
from sandbox.traffic.dial_plan import DialPlan, Listener
from sandbox.traffic.load_balancer.surroundings import KeyPair
from tests.sandbox.traffic.load_balancer.key_pairs import key_pair
from tests.sandbox.traffic.load_balancer.rig import ZONE, Rig, link
from tests.sandbox.traffic.model_servers.cluster import CUSTOM, Servers, pod, with_servers

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("load_balancer")]


@pytest.fixture(scope="module")
def pair(envoy_rig: Rig) -> KeyPair:
    return key_pair(envoy_rig.folder, "a.example")


def balanced(rig: Rig, port: int, pair: KeyPair) -> str:
    """Put a load balancer with HTTPS in front of a server of h2c; the path of its certificate."""
    plan = DialPlan([
        Listener(project="p", cluster="c", namespace="n", pod="pod-1", node="node", zone=ZONE,
                 address="10.64.1.0", port=8501, listens=port)
    ])  # fmt: skip
    rig.put("global/targetHttpsProxies/main", {
        "urlMap": link("global/urlMaps/main"),
        "sslCertificates": [link("global/sslCertificates/main")],
    })  # fmt: skip
    rig.put(
        "global/forwardingRules/https",
        {"target": link("global/targetHttpsProxies/main"), "IPAddress": "192.0.2.1"},
    )
    rig.surroundings = replace(rig.surroundings, dial_plan=plan, certificate=lambda _: pair)
    rig.url_map(defaultService=rig.service("h2c", 0, protocol="H2C"))
    context = ssl.create_default_context(cafile=str(pair.chain))

    def is_served() -> bool:
        with httpx.Client(verify=context) as client:
            url = f"https://127.0.0.1:{rig.https}/"
            sent = client.get(url, headers={"host": "a.example"},
                              extensions={"sni_hostname": "a.example"})  # fmt: skip
            return sent.status_code == 200

    rig.until(is_served)
    return str(pair.chain)


@pytest.mark.parametrize(
    "more",
    [
        {"is_http2": True, "method": "POST", "body": b"{}"},
        {"is_http2": False},
        {"is_grpc": True, "path": "/acme.Web/Do", "method": "POST"},
    ],
    ids=["HTTP/2", "HTTP/1.1", "gRPC"],
)
def test_callers_reach_a_server_of_http_2(rig: Rig, pair: KeyPair, more: dict[str, Any]) -> None:
    async def test(servers: Servers) -> None:
        servers.show(pod(CUSTOM))
        cacert = await asyncio.to_thread(balanced, rig, servers.port(8080) or 0, pair)
        target = Target(**{
            "address": "127.0.0.1", "port": rig.https, "host": "a.example", "path": "/a",
            "encrypted": True, "cacert": cacert, **more,
        })  # fmt: skip
        found = await load.run(target, rate=200, seconds=0.5)
        assert (found.sent, found.answered, found.lost, found.reason) == (100, 100, {}, "")
        assert found.pods == {"pod-1": 100}

    with_servers(test)
