"""An inference gateway: requests through Envoy and the real endpoint picker to vLLM servers."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx
import pytest
import yaml

from cli.traffic.connection import Loss
from sandbox import engine
from sandbox.gcp.app import App, create_app
from sandbox.home import Home
from sandbox.kubernetes import processes
from sandbox.kubernetes.control_planes import ControlPlanes
from sandbox.kubernetes.features import Features
from sandbox.traffic.dial_plan import DialPlan
from sandbox.traffic.runtime.frontends import read
from sandbox.traffic.runtime.runtime import Runtime
from tests.rehearsal.loads import streams, streams_during
from tests.sandbox.kubernetes import inference_gateway as objects
from tests.sandbox.kubernetes.conftest_kubernetes import (
    NETWORK,
    PROJECT,
    TOKEN,
    Sandbox,
    eventually,
    node,
    running,
)

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("kubernetes")]
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
GATEWAYS = f"{objects.GATEWAY_API}/gateways"
ROUTES = f"{objects.GATEWAY_API}/httproutes"
REPLICAS = 3
PATIENCE = 60
"""Seconds that an answer may take on a busy machine."""
HITS, QUERIES = "vllm:prefix_cache_hits_total", "vllm:prefix_cache_queries_total"


@dataclass
class Gateway:
    """The sandbox, and what its Gateway answers."""

    sandbox: Sandbox
    home: Home
    http: httpx.Client

    def ask(self, prompt: str, *, model: str = "chat", host: str = "chat.example") -> Any:
        body = {"model": model, "prompt": prompt, "max_tokens": 4}
        return self.http.post(f"{self.url}/v1/completions", json=body, headers={"host": host})

    def served_by(self, prompt: str, **where: str) -> str:
        """The pod that answers. On a busy machine a picker may lose its lease for a while."""
        ends = time.monotonic() + PATIENCE
        while (answer := self.ask(prompt, **where)).status_code == 503 and time.monotonic() < ends:
            time.sleep(0.5)
        assert answer.status_code == 200, answer.text
        return str(answer.headers["x-served-by-pod"])

    @property
    def url(self) -> str:
        found = [one for one in read(self.home.traffic) if one.kind == "load-balancer"]
        return f"http://127.0.0.1:{found[0].listens}" if found else "http://127.0.0.1:1"

    def pods(self, app: str) -> list[Any]:
        path = f"{objects.CORE}/pods?labelSelector=app%3D{app}"
        return [
            one
            for one in self.sandbox.items(path)
            if "deletionTimestamp" not in one["metadata"] and (one["status"].get("podIP"))
        ]

    def counted(self, app: str, name: str) -> float:
        """The sum of a metric over the servers of a pool."""
        return sum(self.measured(pod, name) for pod in self.pods(app))

    def measured(self, pod: Any, name: str) -> float:
        plan = DialPlan.read(self.home.dial_plan)
        port = plan.port(PROJECT, pod["status"]["podIP"], 8000)
        text = self.http.get(f"http://127.0.0.1:{port}/metrics").text
        found = re.search(rf"^{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE)
        assert found is not None, text
        return float(found.group(1))

    def annotate(self, pod: Any, **annotations: str | None) -> None:
        given = {f"sandbox/{name.replace('_', '-')}": text for name, text in annotations.items()}
        self.sandbox.kube(
            "PATCH",
            f"{objects.CORE}/pods/{pod['metadata']['name']}",
            {"metadata": {"annotations": given}},
            content_type=MERGE,
        )

    def pickers(self) -> dict[str, bool]:
        """Whether the picker of each pool answers."""
        found = (one for each in self.sandbox.planes.objects() for one in each.pickers)
        return {one.resource: one.port != 1 for one in found}

    def condition(self, path: str, kind: str) -> Any:
        """A condition of a Gateway, or of the first parent of a route or pool."""
        status = self.sandbox.kube("GET", path).get("status") or {}
        parents = status.get("parents") or [status]
        conditions = parents[0].get("conditions") or []
        return next((one for one in conditions if one["type"] == kind), {})


def _emulator(state: Any, _: ControlPlanes) -> App:
    app = create_app(state)
    app.state.enforce_enabled_services = False
    return app


def _put(sandbox: Sandbox, *made: tuple[str, Any]) -> None:
    for collection, body in made:
        sandbox.kube("POST", collection, body)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Two pools of three servers: `chat` with a picker, `plain` whose picker never runs."""
    home = Home(tmp_path_factory.mktemp("inference") / "home")
    home.prepare()
    home.token.write_text(TOKEN)
    features = Features(gateway_api=True, inference_pools=True)
    nodes = [node(zone, index) for zone in "ab" for index in range(2)]
    with running(home.path, _emulator, nodes=nodes, features=features) as sandbox:
        storage = int(sandbox.api.rpartition(":")[2])

        async def begin() -> Runtime:
            runtime = Runtime(home, sandbox.state, sandbox.planes.objects, storage=storage)
            sandbox.planes.changed = runtime.wake
            await runtime.start()
            return runtime

        runtime = sandbox.loop.run(begin())
        try:
            with httpx.Client(trust_env=False, timeout=PATIENCE) as http:
                yield Gateway(sandbox, home, http)
        finally:
            sandbox.loop.run(runtime.close())


@pytest.fixture(scope="module")
def served(gateway: Gateway) -> Gateway:
    """The gateway once everything answers."""
    sandbox = gateway.sandbox
    sandbox.kube("POST", "/api/v1/namespaces", {"metadata": {"name": objects.NAMESPACE}})
    folder = engine.ensure().modules["inference-gateway"] / "config/crd/bases"
    file = folder / "inference.networking.x-k8s.io_inferenceobjectives.yaml"
    sandbox.kube("POST", objects.DEFINITIONS, yaml.safe_load(file.read_text()))  # as the platform
    _put(sandbox, (GATEWAYS, objects.gateway()))
    for name in ("chat", "plain"):
        *identity, deployment = objects.picker(name)
        _put(
            sandbox,
            (objects.APPS, objects.server(name, REPLICAS)),
            (objects.POOLS, objects.pool(name)),
            (f"{objects.GKE}/healthcheckpolicies", objects.health(name)),
            (ROUTES, objects.route(name, (name, 1), host=f"{name}.example")),
            *identity,
            *([deployment] if name == "chat" else []),
        )
    _put(
        sandbox,
        *objects.router(),
        (ROUTES, objects.route("split", ("chat", 0), ("plain", 1), host="split.example")),
        (ROUTES, objects.route("by-chat", ("chat", 1), host="all.example", model="chat")),
        (ROUTES, objects.route("by-plain", ("plain", 1), host="all.example", model="plain")),
    )
    assert eventually(
        lambda: gateway.condition(f"{GATEWAYS}/inference", "Programmed").get("status") == "False"
    )
    refused = gateway.condition(f"{GATEWAYS}/inference", "Programmed")
    assert refused["status"] == "False"
    assert "An active proxy-only subnetwork is required" in refused["message"]
    subnetwork = {
        "name": "proxies",
        "network": NETWORK,
        "ipCidrRange": "10.129.0.0/23",
        "purpose": "REGIONAL_MANAGED_PROXY",
        "role": "ACTIVE",
    }
    assert sandbox.compute("POST", "regions/europe-west4/subnetworks", subnetwork)

    def answers() -> bool:
        hosts = {"chat": "chat.example", "plain": "plain.example"}
        codes = [gateway.ask("a", model=k, host=v).status_code for k, v in hosts.items()]
        return codes == [200, 200] and any(gateway.pickers().values())

    def settled() -> bool:
        try:
            return answers()
        except httpx.HTTPError:
            return False

    assert eventually(settled), (gateway.pickers(), gateway.url)
    return gateway


def test_statuses_name_the_gateway(served: Gateway) -> None:
    for path in (f"{ROUTES}/chat", f"{objects.POOLS}/chat"):
        for kind in ("Accepted", "ResolvedRefs"):
            assert served.condition(path, kind)["status"] == "True", (path, kind)
    policy = served.sandbox.kube("GET", f"{objects.GKE}/healthcheckpolicies/chat")
    assert policy["status"]["conditions"][0]["status"] == "True"
    rules = served.sandbox.compute("GET", "regions/europe-west4/forwardingRules")["items"]
    assert [one["loadBalancingScheme"] for one in rules] == ["EXTERNAL_MANAGED"]
    assert "items" not in served.sandbox.compute("GET", "global/forwardingRules")


def test_one_of_two_pickers_leads_and_is_ready(served: Gateway) -> None:
    def ready() -> int:
        status = served.sandbox.kube("GET", f"{objects.APPS}/chat-epp")["status"]
        return int(status.get("readyReplicas", 0))

    assert eventually(lambda: ready() == 1)
    assert len(served.pods("chat-epp")) == 2


def test_shared_prefixes_hit_the_cache_more_often_than_round_robin(served: Gateway) -> None:
    shares = {}
    for pool in ("chat", "plain"):
        before = served.counted(pool, HITS), served.counted(pool, QUERIES)
        for turn in range(6):
            for topic in ("red", "green", "blue", "black"):
                prompt = " ".join([f"{topic}-{word}" for word in range(320)] + [str(turn)])
                served.served_by(prompt, model=pool, host=f"{pool}.example")
        hits = served.counted(pool, HITS) - before[0]
        shares[pool] = hits / (served.counted(pool, QUERIES) - before[1])
    assert shares["chat"] > 0.75, shares
    assert shares["plain"] < 0.6, shares


def test_a_full_server_gets_no_request(served: Gateway) -> None:
    prompt = " ".join(f"full-{word}" for word in range(320))
    favourite = served.served_by(prompt)
    assert served.served_by(prompt) == favourite
    [pod] = [one for one in served.pods("chat") if one["metadata"]["name"] == favourite]
    gauges = {"vllm:num_requests_waiting": 200, "vllm:kv_cache_usage_perc": 1.0}
    served.annotate(pod, gauges=json.dumps(gauges))
    assert eventually(lambda: served.served_by(prompt) != favourite)
    assert favourite not in {served.served_by(f"{prompt} {turn}") for turn in range(12)}
    served.annotate(pod, gauges=None)


def _refused_to(served: Gateway, address: str) -> int:
    """The status of a request that comes from an address."""
    answer = served.http.post(
        f"{served.url}/v1/completions",
        json={"model": "plain", "prompt": "a", "max_tokens": 1},
        headers={"host": "plain.example", "x-sandbox-client-ip": address},
    )
    return int(answer.status_code)


def test_a_policy_of_the_region_refuses_requests_to_a_pool(served: Gateway) -> None:
    compute, region = served.sandbox.compute, "regions/europe-west4"
    everyone = {"versionedExpr": "SRC_IPS_V1", "config": {"srcIpRanges": ["*"]}}
    named = {"versionedExpr": "SRC_IPS_V1", "config": {"srcIpRanges": ["198.51.100.0/24"]}}
    limits = {
        "conformAction": "allow",
        "exceedAction": "deny(429)",
        "enforceOnKey": "IP",
        "rateLimitThreshold": {"count": 5, "intervalSec": 3600},
    }
    rules = [
        {"priority": 1, "action": "deny(403)", "match": named},
        {"priority": 2, "action": "throttle", "match": everyone, "rateLimitOptions": limits},
        {"priority": 2147483647, "action": "allow", "match": everyone},
    ]
    compute("POST", f"{region}/securityPolicies", {"name": "llm", "rules": rules})
    policy = objects.backend_policy("plain", securityPolicy="llm")
    served.sandbox.kube("POST", f"{objects.GKE}/gcpbackendpolicies", policy)
    assert eventually(lambda: _refused_to(served, "198.51.100.7") == 403)
    # Another pool has no policy.
    assert served.ask("a").status_code == 200
    found = [_refused_to(served, "203.0.113.9") for _ in range(8)]
    assert found == [200] * 5 + [429] * 3
    users = compute("GET", f"{region}/backendServices")["items"]
    [guarded] = [one for one in users if one.get("securityPolicy")]
    assert guarded["securityPolicy"].endswith(f"{region}/securityPolicies/llm")


def test_identity_aware_proxy_admits_who_may(served: Gateway) -> None:
    path = f"{objects.GKE}/gcpbackendpolicies/plain"
    change = {"spec": {"default": {"securityPolicy": None, "iap": {"enabled": True}}}}
    served.sandbox.kube("PATCH", path, change, content_type=MERGE)
    assert eventually(lambda: _refused_to(served, "203.0.113.10") in (302, 401))
    served.sandbox.kube("DELETE", path)
    assert eventually(lambda: _refused_to(served, "203.0.113.11") == 200)


def test_a_stream_is_not_held_back(served: Gateway) -> None:
    for pod in served.pods("chat"):
        served.annotate(pod, latency_milliseconds="1500")
    body = {"model": "chat", "prompt": "a b c d e f", "stream": True}
    eventually(lambda: served.ask("a").elapsed.total_seconds() > 1)
    with served.http.stream(
        "POST",
        f"{served.url}/v1/completions",
        json=body,
        headers={"host": "chat.example"},
    ) as answer:
        assert answer.status_code == 200
        lines = answer.iter_lines()
        assert next(lines).startswith("data: ")
        # The server still works on the request of which something has arrived.
        assert served.counted("chat", "vllm:num_requests_running") == 1
        assert [line for line in lines if line][-1] == "data: [DONE]"
    for pod in served.pods("chat"):
        served.annotate(pod, latency_milliseconds=None)


def test_models_share_a_host_by_the_name_in_the_body(served: Gateway) -> None:
    def reached() -> bool:
        return all(
            served.ask("a", model=name, host="all.example").status_code == 200
            for name in ("chat", "plain")
        )

    assert eventually(reached)
    assert served.ask("a", model="other", host="all.example").status_code == 404


def test_a_prompt_may_arrive_slowly(served: Gateway) -> None:
    """Router and picker answer once they have all of it: Envoy has no timeout of their messages."""

    def parts() -> Iterator[bytes]:
        yield b'{"model": "chat", '
        time.sleep(2)
        yield b'"prompt": "a", "max_tokens": 4}'

    answer = served.http.post(
        f"{served.url}/v1/completions", content=parts(), headers={"host": "all.example"}
    )
    assert answer.status_code == 200, answer.text


def test_weights_count_between_pools(served: Gateway) -> None:
    apps = Counter(
        served.served_by("a", model="plain", host="split.example").split("-")[0] for _ in range(6)
    )
    assert apps == {"plain": 6}


def test_a_picker_that_is_down_does_what_its_pool_says(served: Gateway) -> None:
    scale = f"{objects.APPS}/chat-epp"
    pool = f"{objects.POOLS}/chat"
    kube = served.sandbox.kube
    kube("PATCH", scale, {"spec": {"replicas": 0}}, content_type=MERGE)
    assert eventually(lambda: not any(served.pickers().values()))
    # Each of Envoy's threads notices by itself that its connection to the picker has ended.
    assert eventually(
        lambda: {served.ask(f"open {turn}").status_code for turn in range(20)} == {200}
    )
    names = {served.served_by(f"open {turn}") for turn in range(12)}
    assert len(names) == REPLICAS  # round robin, without a picker

    closed = {"spec": {"endpointPickerRef": {"failureMode": "FailClose"}}}
    kube("PATCH", pool, closed, content_type=MERGE)
    assert eventually(lambda: {served.ask("closed").status_code for _ in range(6)} == {503})

    kube("PATCH", scale, {"spec": {"replicas": 1}}, content_type=MERGE)
    assert eventually(lambda: {served.ask("again").status_code for _ in range(6)} == {200})
    # Only the picker names an endpoint, also where the body decides on the route.
    assert served.ask("again", model="chat", host="all.example").status_code == 200


def test_a_crash_of_a_picker_is_over_soon_where_the_pool_fails_open(served: Gateway) -> None:
    opened = {"spec": {"endpointPickerRef": {"failureMode": "FailOpen"}}}
    served.sandbox.kube("PATCH", f"{objects.POOLS}/chat", opened, content_type=MERGE)
    assert eventually(lambda: served.ask("before").status_code == 200)
    for process, name in processes.below(served.home.path).items():
        if "epp" in name:
            process.kill()
    seen = set()

    def is_over() -> bool:
        codes = {served.ask(f"after {turn}").status_code for turn in range(20)}
        seen.update(codes)
        return codes == {200}

    # Envoy cannot take back the part of a body that it has sent to the picker.
    assert eventually(is_over)
    assert seen <= {200, 503}


STREAM_SECONDS = 2.0
LONG = 280.0
"""Seconds that a rollout may take on a busy machine; streams go on for longer."""
PAUSE = {"preStop": {"sleep": {"seconds": 20}}}


def _pods_that_pause(served: Gateway) -> None:
    """Servers with streams of some seconds, a single picker; both pause before they stop."""
    kube = served.sandbox.kube
    opened = {"spec": {"endpointPickerRef": {"failureMode": "FailOpen"}}}
    kube("PATCH", f"{objects.POOLS}/chat", opened, content_type=MERGE)
    kube("POST", f"{objects.GKE}/gcpbackendpolicies", objects.draining("chat", 20))
    latency = {"sandbox/latency-milliseconds": f"{STREAM_SECONDS * 1000:.0f}"}
    for name, container, pace in (("chat", "vllm", latency), ("chat-epp", "epp", {})):
        old = kube("GET", f"{objects.APPS}/{name}")["spec"]["template"]["spec"]["containers"][0]
        arguments = [one for one in old["args"] if one != "--ha-enable-leader-election"]
        changed = {"name": container, "lifecycle": PAUSE, "args": arguments}
        if name == "chat-epp":
            changed["readinessProbe"] = {"grpc": {"service": "inference-extension"}}
        else:
            # The load balancer knows a pod before the picker names it, as the platform has it.
            ready = {"httpGet": {"path": "/health", "port": "http"}, "periodSeconds": 5}
            changed["readinessProbe"] = {**ready, "successThreshold": 3}
        template = {
            "metadata": {"annotations": pace},
            "spec": {"terminationGracePeriodSeconds": 40, "containers": [changed]},
        }
        strategy = {"rollingUpdate": {"maxSurge": "100%", "maxUnavailable": 0}}
        body = {"spec": {"replicas": 1 if name == "chat-epp" else REPLICAS, "strategy": strategy}}
        body["spec"]["template"] = template
        kube("PATCH", f"{objects.APPS}/{name}", body, content_type=STRATEGIC)
        assert eventually(partial(_is_rolled_out, served, name), LONG)


def _is_rolled_out(served: Gateway, name: str) -> bool:
    found = served.sandbox.kube("GET", f"{objects.APPS}/{name}")
    status, wanted = found["status"], found["spec"]["replicas"]
    counts = [status.get(key, 0) for key in ("replicas", "updatedReplicas", "availableReplicas")]
    return (
        status["observedGeneration"] == found["metadata"]["generation"]
        and counts == [wanted] * 3
        and len(served.pods(name)) == wanted
    )


def _roll_out(served: Gateway, name: str) -> None:
    again = {"metadata": {"annotations": {"again": "yes"}}}
    body = {"spec": {"template": again}}
    served.sandbox.kube("PATCH", f"{objects.APPS}/{name}", body, content_type=MERGE)
    assert eventually(partial(_is_rolled_out, served, name), LONG)


def _drain_node_of(served: Gateway, name: str) -> None:
    """Evict everything from a node, as `kubectl drain` does."""
    kube = served.sandbox.kube
    node_name = served.pods(name)[0]["spec"]["nodeName"]
    place = f"/api/v1/nodes/{node_name}"
    kube("PATCH", place, {"spec": {"unschedulable": True}}, content_type=MERGE)
    for pod in served.sandbox.items(f"{objects.CORE}/pods"):
        if pod["spec"].get("nodeName") == node_name:
            metadata = {"name": pod["metadata"]["name"], "namespace": objects.NAMESPACE}
            body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}
            kube("POST", f"{objects.CORE}/pods/{metadata['name']}/eviction", body)
    for each in ("chat", "chat-epp"):
        assert eventually(partial(_is_rolled_out, served, each), LONG)
    kube("PATCH", place, {"spec": {"unschedulable": False}}, content_type=MERGE)


def test_streams_survive_rollouts_and_drains(served: Gateway) -> None:
    _pods_that_pause(served)
    assert eventually(lambda: served.ask("ready").status_code == 200)
    body = {"model": "chat", "prompt": "one two three four five six"}
    target = streams(f"{served.url}/v1/completions", "chat.example", body)
    for act in (
        partial(_roll_out, served, "chat"),
        partial(_roll_out, served, "chat-epp"),
        partial(_drain_node_of, served, "chat"),
        partial(_drain_node_of, served, "chat-epp"),
    ):
        found = streams_during(target, act, rate=8)
        if act.func is _roll_out and act.args[1] == "chat":
            assert not found.lost, found.lost
        # A picker that moves may cost some: no stream of theirs begins.
        assert found.lost.keys() <= {Loss.SERVER_ERROR}, (act, found.lost)
        assert found.answered > found.sent / 2, (act, found.lost)
        assert (found.latencies.quantile(0.5) or 0) > STREAM_SECONDS / 2  # they were streams


def test_a_global_gateway_takes_no_pool(served: Gateway) -> None:
    kind = "gke-l7-global-external-managed"
    _put(
        served.sandbox,
        (GATEWAYS, objects.gateway("global", kind)),
        (ROUTES, objects.route("to-global", ("chat", 1), to="global")),
    )
    path = f"{ROUTES}/to-global"
    refused = eventually(lambda: served.condition(path, "ResolvedRefs"))
    assert (refused["status"], refused["reason"]) == ("False", "InvalidKind")
    assert kind in refused["message"]
