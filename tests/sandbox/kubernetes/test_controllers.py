"""GKE's controllers, observed in the cluster and in the compute API."""

import json
from typing import Any

import pytest

from tests.sandbox.kubernetes.conftest_kubernetes import (
    CLUSTER,
    NETWORK,
    PROJECT,
    Sandbox,
    deployment,
    eventually,
    node,
)

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("kubernetes")]
SERVICES = "/api/v1/namespaces/default/services"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
MERGE = "application/merge-patch+json"
GATE = "cloud.google.com/load-balancer-neg-ready"
RULES = "regions/europe-west4/forwardingRules"
ZONES = ("europe-west4-a", "europe-west4-b")


def _service(name: str, **spec: Any) -> Any:
    annotations = spec.pop("annotations", {})
    body = {
        "selector": {"app": name},
        "ports": [{"name": "rest", "port": 8501, "targetPort": 8501}],
    }
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "annotations": annotations},
        "spec": body | spec,
    }


def _address(sandbox: Sandbox, name: str) -> str:
    ingress = sandbox.kube("GET", f"{SERVICES}/{name}")["status"]["loadBalancer"].get("ingress")
    return ingress[0]["ip"] if ingress else ""


def _rule_name(sandbox: Sandbox, name: str) -> str:
    uid = sandbox.kube("GET", f"{SERVICES}/{name}")["metadata"]["uid"]
    return f"a{uid.replace('-', '')}"[:32]


def _endpoints(sandbox: Sandbox, group: str, zone: str) -> set[tuple[str, str, int]] | None:
    listed = sandbox.compute(
        "POST", f"zones/{zone}/networkEndpointGroups/{group}/listNetworkEndpoints", {}
    )
    if listed is None:
        return None
    found = (item["networkEndpoint"] for item in listed.get("items", []))
    return {(e["instance"], e["ipAddress"], e["port"]) for e in found}


def _ready_pods(sandbox: Sandbox, app: str, zone: str) -> set[tuple[str, str, int]]:
    pods = sandbox.items(f"/api/v1/namespaces/default/pods?labelSelector=app%3D{app}")
    return {
        (pod["spec"]["nodeName"], pod["status"]["podIP"], 8501)
        for pod in pods
        if pod["status"].get("podIP")
        and "deletionTimestamp" not in pod["metadata"]
        and f"-{zone[-1]}-" in pod["spec"]["nodeName"]
    }


def test_a_load_balancer_service_gets_an_address_and_a_forwarding_rule(sandbox: Sandbox) -> None:
    sandbox.kube("POST", SERVICES, _service("external", type="LoadBalancer"))
    address = eventually(lambda: _address(sandbox, "external"))
    assert address.startswith("127.")
    name = _rule_name(sandbox, "external")
    rule = sandbox.compute("GET", f"{RULES}/{name}")
    assert rule["IPAddress"] == address
    assert rule["portRange"] == "8501-8501"
    assert rule["loadBalancingScheme"] == "EXTERNAL"
    assert json.loads(rule["description"]) == {"kubernetes.io/service-name": "default/external"}
    wall = sandbox.compute("GET", f"global/firewalls/k8s-fw-{name}")
    assert json.loads(wall["description"])["kubernetes.io/service-name"] == "default/external"
    assert wall["allowed"] == [{"IPProtocol": "tcp", "ports": ["8501"]}]

    change = {"spec": {"ports": [{"name": "rest", "port": 80, "targetPort": 8501}]}}
    sandbox.kube("PATCH", f"{SERVICES}/external", change, content_type=MERGE)
    assert eventually(
        lambda: (sandbox.compute("GET", f"{RULES}/{name}") or {}).get("portRange") == "80-80"
    )
    assert _address(sandbox, "external") == address

    sources = {"spec": {"loadBalancerSourceRanges": ["192.0.2.0/24"]}}
    sandbox.kube("PATCH", f"{SERVICES}/external", sources, content_type=MERGE)
    assert eventually(
        lambda: (
            sandbox.compute("GET", f"global/firewalls/k8s-fw-{name}")["sourceRanges"]
            == ["192.0.2.0/24"]
        )
    )

    sandbox.kube("DELETE", f"{SERVICES}/external")
    assert eventually(lambda: sandbox.compute("GET", f"{RULES}/{name}") is None)
    gone = ("regions/europe-west4/targetPools/" + name, f"global/firewalls/k8s-fw-{name}")
    assert eventually(lambda: all(sandbox.compute("GET", path) is None for path in gone))
    assert eventually(
        lambda: "external" not in {s["metadata"]["name"] for s in sandbox.items(SERVICES)}
    )


def test_a_services_rule_follows_its_type_and_scheme(
    sandbox: Sandbox,
) -> None:
    sandbox.kube("POST", SERVICES, _service("internal", type="LoadBalancer"))
    assert eventually(lambda: _address(sandbox, "internal"))
    name = _rule_name(sandbox, "internal")
    internal = {"networking.gke.io/load-balancer-type": "Internal"}
    change: Any = {"metadata": {"annotations": internal}}
    sandbox.kube("PATCH", f"{SERVICES}/internal", change, content_type=MERGE)
    assert eventually(
        lambda: (
            (sandbox.compute("GET", f"{RULES}/{name}") or {}).get("loadBalancingScheme")
            == "INTERNAL"
        )
    )
    change = {"spec": {"type": "ClusterIP"}}
    sandbox.kube("PATCH", f"{SERVICES}/internal", change, content_type=MERGE)
    assert eventually(lambda: sandbox.compute("GET", f"{RULES}/{name}") is None)
    assert eventually(lambda: _address(sandbox, "internal") == "")
    assert eventually(
        lambda: not sandbox.kube("GET", f"{SERVICES}/internal")["metadata"].get("finalizers")
    )
    sandbox.kube("DELETE", f"{SERVICES}/internal")


def test_a_refused_service_gets_an_event_and_does_not_block_others(sandbox: Sandbox) -> None:
    refused = _service("refused", type="LoadBalancer", loadBalancerIP="127.99.99.99")
    sandbox.kube("POST", SERVICES, _service("first", type="LoadBalancer"))
    address = eventually(lambda: _address(sandbox, "first"))
    refused["spec"]["loadBalancerIP"] = address  # in use, on the same port
    sandbox.kube("POST", SERVICES, refused)
    sandbox.kube("POST", SERVICES, _service("second", type="LoadBalancer"))
    assert eventually(lambda: _address(sandbox, "second"))

    def warnings() -> list[str]:
        return [
            event["message"]
            for event in sandbox.items("/api/v1/namespaces/default/events")
            if event["involvedObject"]["name"] == "refused" and event["type"] == "Warning"
        ]

    assert "in-use" in eventually(warnings)[0]
    for name in ("refused", "first", "second"):
        sandbox.kube("DELETE", f"{SERVICES}/{name}")
    assert eventually(lambda: not sandbox.compute("GET", RULES).get("items"))


def test_endpoint_groups_follow_ready_pods_and_are_deleted_when_unused(
    sandbox: Sandbox,
) -> None:
    sandbox.kube("POST", DEPLOYMENTS, deployment("models", 4))
    asked = json.dumps({"exposed_ports": {"8501": {"name": "models-neg"}}})
    service = _service("models", annotations={"cloud.google.com/neg": asked})
    sandbox.kube("POST", SERVICES, service)

    def follows(count: int) -> bool:
        found = {zone: _endpoints(sandbox, "models-neg", zone) for zone in ZONES}
        ready = {zone: _ready_pods(sandbox, "models", zone) for zone in ZONES}
        return found == ready and sum(len(pods) for pods in ready.values()) == count

    assert eventually(lambda: follows(4))
    group = sandbox.compute("GET", "zones/europe-west4-a/networkEndpointGroups/models-neg")
    assert group["networkEndpointType"] == "GCE_VM_IP_PORT"
    assert group["network"].endswith(NETWORK)
    assert group["size"] == 2
    assert json.loads(group["description"])["service-name"] == "models"

    def status() -> Any:
        annotations = sandbox.kube("GET", f"{SERVICES}/models")["metadata"]["annotations"]
        return annotations.get("cloud.google.com/neg-status")

    assert json.loads(eventually(status)) == {
        "network_endpoint_groups": {"8501": "models-neg"},
        "zones": list(ZONES),
    }

    scale = {"spec": {"replicas": 6}}
    sandbox.kube("PATCH", f"{DEPLOYMENTS}/models", scale, content_type=MERGE)
    assert eventually(lambda: follows(6))

    check = {"name": "check", "type": "TCP", "tcpHealthCheck": {"port": 8501}}
    sandbox.compute("POST", "global/healthChecks", check)
    backend = {
        "name": "backend",
        "protocol": "HTTP",
        "healthChecks": ["global/healthChecks/check"],
        "backends": [
            {"group": group["selfLink"], "balancingMode": "RATE", "maxRatePerEndpoint": 10}
        ],
    }
    assert sandbox.compute("POST", "global/backendServices", backend) is not None
    sandbox.kube("DELETE", f"{SERVICES}/models")
    # In zone b nothing uses it; in zone a a backend service does, and it stays, without endpoints.
    assert eventually(lambda: _endpoints(sandbox, "models-neg", ZONES[1]) is None)
    assert eventually(lambda: _endpoints(sandbox, "models-neg", ZONES[0]) == set())
    assert sandbox.compute("DELETE", "global/backendServices/backend") is not None
    assert eventually(lambda: _endpoints(sandbox, "models-neg", ZONES[0]) is None)
    sandbox.kube("DELETE", f"{DEPLOYMENTS}/models")


def _gates(sandbox: Sandbox, app: str) -> dict[str, tuple[str | None, str | None]]:
    """By pod, the reason of the gate's condition (empty without a gate), and its readiness."""
    found = {}
    for pod in sandbox.items(f"/api/v1/namespaces/default/pods?labelSelector=app%3D{app}"):
        conditions = {one["type"]: one for one in pod["status"].get("conditions") or ()}
        gated = any(one["conditionType"] == GATE for one in pod["spec"].get("readinessGates", ()))
        reason = conditions.get(GATE, {}).get("reason") if gated else ""
        ready = conditions.get("Ready", {}).get("status")
        if "deletionTimestamp" not in pod["metadata"]:
            found[pod["metadata"]["name"]] = reason, ready
    return found


def test_a_rollout_waits_until_the_load_balancer_finds_the_new_pods_healthy(
    sandbox: Sandbox,
) -> None:
    """The load balancer's word is the test's; `test_drills` hears Envoy's."""
    asked = json.dumps({"exposed_ports": {"8501": {"name": "gated-neg"}}})
    service = _service("gated", annotations={"cloud.google.com/neg": asked})
    sandbox.kube("POST", SERVICES, service)
    assert eventually(lambda: _endpoints(sandbox, "gated-neg", ZONES[0]) is not None)
    sandbox.kube("POST", DEPLOYMENTS, deployment("gated", 2))
    without = ("LoadBalancerNegWithoutHealthCheck", "True")
    assert eventually(lambda: [*_gates(sandbox, "gated").values()] == [without, without])
    former = set(_gates(sandbox, "gated"))

    groups = [
        sandbox.compute("GET", f"zones/{zone}/networkEndpointGroups/gated-neg") for zone in ZONES
    ]
    check = {"name": "gated", "type": "TCP", "tcpHealthCheck": {"port": 8501}}
    sandbox.compute("POST", "global/healthChecks", check)
    backend = {
        "name": "gated",
        "healthChecks": ["global/healthChecks/gated"],
        "backends": [
            {"group": one["selfLink"], "balancingMode": "RATE", "maxRatePerEndpoint": 10}
            for one in groups
        ],
    }
    assert sandbox.compute("POST", "global/backendServices", backend) is not None
    path = f"projects/{PROJECT}/global/backendServices/gated"
    states: dict[str, str] = {}

    class Checks:
        async def health(self) -> dict[str, dict[str, str]]:
            return {path: states}

    sandbox.state.requests = Checks()
    try:
        changed = {"spec": {"template": {"metadata": {"annotations": {"version": "2"}}}}}
        sandbox.kube("PATCH", f"{DEPLOYMENTS}/gated", changed, content_type=MERGE)

        def new() -> dict[str, tuple[str | None, str | None]]:
            return {k: v for k, v in _gates(sandbox, "gated").items() if k not in former}

        waits = ("LoadBalancerNegNotReady", "False")
        assert eventually(lambda: [*new().values()] == [waits])
        (name,) = new()
        # It is attached, and the former ones stay.
        pod = sandbox.kube("GET", f"/api/v1/namespaces/default/pods/{name}")
        address = pod["status"]["podIP"]
        attached = {
            one[1] for zone in ZONES for one in _endpoints(sandbox, "gated-neg", zone) or ()
        }
        assert address in attached
        assert former < set(_gates(sandbox, "gated"))

        states[f"{address}:8501"] = "HEALTHY"
        ready = ("LoadBalancerNegReady", "True")
        assert eventually(lambda: ready in new().values() and len(new()) == 2)
        assert eventually(lambda: not former <= set(_gates(sandbox, "gated")))
    finally:
        sandbox.state.requests = None
    # Nobody checks any more.
    assert eventually(lambda: len(new()) == 2 and all(v[1] == "True" for v in new().values()))
    sandbox.kube("DELETE", f"{DEPLOYMENTS}/gated")
    sandbox.kube("DELETE", f"{SERVICES}/gated")
    sandbox.compute("DELETE", "global/backendServices/gated")


def test_an_endpoint_group_appears_in_a_zone_that_gets_its_first_node(sandbox: Sandbox) -> None:
    asked = json.dumps({"exposed_ports": {"8501": {"name": "zonal-neg"}}})
    service = _service("zonal", annotations={"cloud.google.com/neg": asked})
    sandbox.kube("POST", SERVICES, service)
    assert eventually(lambda: _endpoints(sandbox, "zonal-neg", ZONES[0]) is not None)
    assert _endpoints(sandbox, "zonal-neg", "europe-west4-c") is None
    sandbox.nodes("third", node("c", name="gke-main-third-c-0"))
    assert eventually(lambda: _endpoints(sandbox, "zonal-neg", "europe-west4-c") == set())
    change = {"metadata": {"annotations": {"cloud.google.com/neg": None}}}
    sandbox.kube("PATCH", f"{SERVICES}/zonal", change, content_type=MERGE)
    assert eventually(lambda: _endpoints(sandbox, "zonal-neg", ZONES[0]) is None)
    sandbox.nodes("third")
    sandbox.kube("DELETE", f"{SERVICES}/zonal")


def test_controllers_continue_after_a_restart_of_the_control_plane(sandbox: Sandbox) -> None:
    for process in list(_processes(sandbox)):
        process.kill()
    sandbox.loop.run(sandbox.planes.start(CLUSTER))
    sandbox.kube("POST", SERVICES, _service("revived", type="LoadBalancer"))
    assert eventually(lambda: _address(sandbox, "revived"))
    sandbox.kube("DELETE", f"{SERVICES}/revived")


def _processes(sandbox: Sandbox) -> Any:
    from sandbox.kubernetes import processes

    return processes.below(sandbox.folder.path)
