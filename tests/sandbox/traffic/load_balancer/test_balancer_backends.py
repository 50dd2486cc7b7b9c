"""Endpoints, health and balance are those of the emulated backend services."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest

from sandbox.traffic.dial_plan import DialPlan
from tests.sandbox.traffic.load_balancer.rig import ZONE, Rig, link

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("load_balancer")]


def checked(rig: Rig, **fields: Any) -> list[str]:
    rig.put(
        "global/healthChecks/hc",
        {"type": "HTTP", "checkIntervalSec": 1, "timeoutSec": 1, "healthyThreshold": 1}
        | {"unhealthyThreshold": 2}
        | fields,
    )
    return [link("global/healthChecks/hc")]


def http_check(**fields: Any) -> Any:
    return {"httpHealthCheck": {"portSpecification": "USE_SERVING_PORT", **fields}}


def test_an_unhealthy_endpoint_gets_no_requests(rig: Rig) -> None:
    checks = checked(rig, **http_check(requestPath="/healthz", host="probe.example"))
    service = rig.service("checked", 0, 1, healthChecks=checks)
    rig.url_map(defaultService=service)
    rig.until(lambda: {rig.get("/").json()["server"] for _ in range(4)} == {0, 1})
    assert rig.echo.probes[-1]["host"] == "probe.example"
    rig.echo.behaviours[0].healthy = False
    rig.until(lambda: {rig.get("/").json()["server"] for _ in range(20)} == {1})
    rig.echo.behaviours[1].healthy = False
    rig.until(lambda: rig.get("/").status_code == 503)
    assert rig.get("/").text == "no healthy upstream"


def test_a_service_without_endpoints_answers_503(rig: Rig) -> None:
    rig.url_map(defaultService=rig.service("empty"))
    assert [rig.get("/").status_code, rig.get("/").text] == [503, "no healthy upstream"]


def test_an_endpoint_that_nobody_answers_for_is_tried(rig: Rig) -> None:
    rig.url_map(defaultService=rig.service("lost", 0, 9))
    answers = [rig.send("POST", "/", content=b"x").status_code for _ in range(8)]
    assert set(answers) == {200, 503}
    assert {rig.get("/").status_code for _ in range(8)} == {200}


def test_endpoints_come_and_go_without_a_lost_request(rig: Rig) -> None:
    rig.url_map(defaultService=rig.service("moving", 0))
    for server in (1, 2, 3, 0):
        rig.service("moving", server)
        rig.apply()
        rig.until(lambda: rig.get("/").json()["server"] == server)  # noqa: B023


def test_zones_share_by_capacity(rig: Rig) -> None:
    service = rig.service("zones", 0)
    other = "zones/europe-west4-b/networkEndpointGroups/zones"
    rig.put(other, {"networkEndpointType": "GCE_VM_IP_PORT"})
    rig.documents[f"compute-endpoints/projects/p/{other}/e"] = {
        "ipAddress": "10.64.1.1", "port": 8501, "instance": "node",
    }  # fmt: skip
    backends = rig.documents["compute/projects/p/global/backendServices/zones"]["backends"]
    second = {"group": link(other), "balancingMode": "RATE", "maxRatePerEndpoint": 300}
    backends.append({**second, "capacityScaler": 1.0})
    rig.url_map(defaultService=service)
    rig.echo.requests.clear()
    for _ in range(400):
        rig.get("/")
    assert 60 <= rig.echo.requests[0] <= 140
    backends[1]["capacityScaler"] = 0.0
    rig.url_map(defaultService=service)
    rig.until(lambda: {rig.get("/").json()["server"] for _ in range(20)} == {0})


@pytest.mark.parametrize("kind", ["GENERATED_COOKIE", "CLIENT_IP", "HEADER_FIELD", "HTTP_COOKIE"])
def test_affinity_keeps_a_client_at_one_endpoint(rig: Rig, kind: str) -> None:
    fields: Any = {"sessionAffinity": kind}
    if kind == "HEADER_FIELD":
        fields |= {"consistentHash": {"httpHeaderName": "x-user"}, "localityLbPolicy": "MAGLEV"}
    if kind == "HTTP_COOKIE":
        cookie = {"name": "mine", "ttl": {"seconds": "60"}}
        fields |= {"consistentHash": {"httpCookie": cookie}, "localityLbPolicy": "RING_HASH"}
    rig.url_map(defaultService=rig.service("affine", 0, 1, 2, 3, **fields))

    def servers(user: int) -> set[int]:
        headers = {"x-user": str(user), "x-sandbox-client-ip": f"198.51.100.{user}"}
        # Envoy's cookie follows from the connection, so each user needs one.
        with httpx.Client() as client:
            answers = [
                client.get(f"http://127.0.0.1:{rig.http}/", headers=headers) for _ in range(6)
            ]
        return {int(answer.json()["server"]) for answer in answers[1:]}

    each = [servers(user) for user in range(1, 25)]
    assert {len(found) for found in each} == {1}
    assert len(set().union(*each)) > 1


def test_a_node_port_is_reached_by_the_group_s_named_port(rig: Rig) -> None:
    group = f"zones/{ZONE}/instanceGroups/nodes"
    rig.put(group, {
        "namedPorts": [{"name": "fraud", "port": 30080}], "_instances": ["node-a", "node-b"],
    })  # fmt: skip
    service = rig.service("nodes")
    document = rig.documents["compute/projects/p/global/backendServices/nodes"]
    document["portName"] = "fraud"
    document["backends"] = [{"group": link(group), "balancingMode": "UTILIZATION"}]
    before = rig.surroundings
    rig.surroundings = replace(before, node_ports={
        ("p", "node-a", 30080): rig.echo.ports[1], ("p", "node-b", 30080): rig.echo.ports[2],
    })  # fmt: skip
    rig.url_map(defaultService=service)
    assert {rig.get("/").json()["server"] for _ in range(8)} == {1, 2}
    document["portName"] = "unknown"
    rig.url_map(defaultService=service)
    rig.until(lambda: rig.get("/").status_code == 503)
    rig.surroundings = before


def test_an_outlier_is_ejected(rig: Rig) -> None:
    detection = {
        "consecutiveErrors": 3, "interval": {"seconds": "1"}, "maxEjectionPercent": 100,
        "baseEjectionTime": {"seconds": "30"}, "enforcingConsecutiveErrors": 100,
    }  # fmt: skip
    service = rig.service("outliers", 0, 1, outlierDetection=detection)
    rig.echo.behaviours[0].status = 500
    rig.url_map(defaultService=service)
    rig.until(lambda: {rig.get("/").status_code for _ in range(10)} == {200})


def test_a_pod_that_moves_to_another_port_is_followed(rig: Rig) -> None:
    rig.url_map(defaultService=rig.service("moved", 0))
    before = rig.surroundings
    moved = [replace_listener(one, rig.echo.ports[3]) for one in before.dial_plan.listeners]
    rig.apply(dial_plan=DialPlan(moved))
    rig.until(lambda: rig.get("/").json()["server"] == 3)
    rig.apply(dial_plan=before.dial_plan)


def replace_listener(listener: Any, port: int) -> Any:
    import msgspec.structs

    return msgspec.structs.replace(listener, listens=port)
