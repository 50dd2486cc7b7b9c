"""The states of endpoints, from what Envoy says of its hosts."""

from __future__ import annotations

from typing import Any

from sandbox.traffic.runtime import health

RESNET = "projects/p/global/backendServices/resnet"


def _endpoint(name: str, address: str, port: int) -> dict[str, Any]:
    where = {"socket_address": {"address": address, "port_value": port}}
    return {
        "endpoint": {"address": where},
        "metadata": {"filter_metadata": {"sandbox": {"endpoint": name}}},
    }


def _host(address: str, port: int, **status: bool) -> dict[str, Any]:
    where = {"socket_address": {"address": address, "port_value": port}}
    return {"address": where, "health_status": {"eds_health_status": "HEALTHY", **status}}


def test_each_endpoint_has_the_state_of_its_host_in_the_same_service() -> None:
    assignment = {
        "endpoints": [
            {
                "lb_endpoints": [
                    _endpoint("10.8.0.1:8501", "127.0.0.1", 4001),
                    _endpoint("10.8.0.2:8501", "127.0.0.1", 4002),
                    _endpoint("10.8.0.3:8501", "127.8.0.3", 1),
                    _endpoint("10.8.0.4:8501", "127.0.0.1", 4004),
                    _endpoint("10.8.0.5:8501", "127.0.0.1", 4005),
                ]
            }
        ]
    }
    answer = {
        "cluster_statuses": [
            {"name": "other", "host_statuses": [_host("127.0.0.1", 4002)]},
            {
                "name": RESNET,
                "host_statuses": [
                    _host("127.0.0.1", 4001),
                    _host("127.0.0.1", 4002, failed_active_health_check=True),
                    _host("127.8.0.3", 1, failed_active_health_check=True),
                    _host("127.0.0.1", 4004, pending_active_hc=True),
                ],
            },
        ]
    }
    found = health.states(
        frozenset({RESNET, "new"}), {("eds", RESNET): assignment}, health.hosts(answer)
    )
    assert found == {
        RESNET: {
            "10.8.0.1:8501": "HEALTHY",
            "10.8.0.2:8501": "UNHEALTHY",
            "10.8.0.3:8501": "UNHEALTHY",
            "10.8.0.4:8501": "UNHEALTHY",
            "10.8.0.5:8501": "UNKNOWN",
        },
        "new": {},
    }


def test_clusters_without_a_health_check_are_not_checked() -> None:
    files = {"cds": {"resources": [{"name": RESNET, "health_checks": [{}]}, {"name": "bucket"}]}}
    assert health.checked(files) == {RESNET}
