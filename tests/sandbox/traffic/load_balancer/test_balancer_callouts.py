"""What Envoy is told of endpoint pickers and body-based routers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sandbox.kubernetes.cluster_objects import Callout
from sandbox.traffic.dial_plan import DialPlan, Listener
from sandbox.traffic.load_balancer import callouts, files
from sandbox.traffic.load_balancer.configuration import configure
from sandbox.traffic.load_balancer.endpoints import NOBODY
from sandbox.traffic.load_balancer.surroundings import Surroundings

REGION = "projects/p/regions/europe-west4"
PREFIX = "https://www.googleapis.com/compute/v1/"
SERVICE, MAP = f"{REGION}/backendServices/chat", f"{REGION}/urlMaps/main"
GROUP = "projects/p/zones/europe-west4-a/networkEndpointGroups/chat"


def _documents() -> dict[str, Any]:
    backend = {"group": PREFIX + GROUP, "balancingMode": "RATE", "maxRatePerEndpoint": 100}
    found: dict[str, dict[str, Any]] = {
        SERVICE: {"loadBalancingScheme": "EXTERNAL_MANAGED", "backends": [backend]},
        MAP: {"defaultService": PREFIX + SERVICE},
        f"{REGION}/targetHttpProxies/main": {"urlMap": PREFIX + MAP},
        f"{REGION}/forwardingRules/main": {
            "target": f"{PREFIX}{REGION}/targetHttpProxies/main",
            "loadBalancingScheme": "EXTERNAL_MANAGED",
        },
        GROUP: {"networkEndpointType": "GCE_VM_IP_PORT"},
    }
    documents = {
        f"compute/{path}": {"name": path.rpartition("/")[2], **body} for path, body in found.items()
    }
    endpoint = {"ipAddress": "10.8.0.1", "port": 8000, "instance": "node"}
    return documents | {f"compute-endpoints/{GROUP}/10.8.0.1_8000_node": endpoint}


def _configured(folder: Path, **callouts_given: Any) -> dict[str, Any]:
    plan = DialPlan([
        Listener(
            project="p", cluster="c", namespace="n", pod="pod", node="node", zone="europe-west4-a",
            address="10.8.0.1", port=8000, listens=4321,
        )
    ])  # fmt: skip
    surroundings = Surroundings(
        folder=folder,
        frontends={f"compute/{REGION}/forwardingRules/main": 8080},
        dial_plan=plan,
    )
    made = configure(_documents(), replace(surroundings, **callouts_given))
    assert made.unsupported == []
    return dict(made.files)


def _cluster(made: dict[str, Any], name: str) -> Any:
    return next(one for one in made[files.CLUSTERS]["resources"] if one["name"] == name)


def _route(made: dict[str, Any]) -> Any:
    [table] = made[files.routes_file(MAP)]["resources"]
    return table, table["virtual_hosts"][0]["routes"][0]


def _filters(made: dict[str, Any]) -> list[str]:
    [listener] = made[files.LISTENERS]["resources"]
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    return [one["name"] for one in manager["http_filters"]]


@pytest.mark.parametrize(
    ("fails_open", "fallback"), [(True, "ANY_ENDPOINT"), (False, "NO_FALLBACK")]
)
def test_an_endpoint_is_the_one_that_the_picker_names(
    tmp_path: Path, *, fails_open: bool, fallback: str
) -> None:
    picker = Callout(resource=SERVICE, port=5000, fails_open=fails_open)
    made = _configured(tmp_path, pickers={SERVICE: picker})
    subsets = _cluster(made, SERVICE)["lb_subset_config"]
    assert subsets["fallback_policy"] == fallback
    [assignment] = made[files.endpoints_file(SERVICE)]["resources"]
    [endpoint] = assignment["endpoints"][0]["lb_endpoints"]
    metadata = endpoint["metadata"]["filter_metadata"]["envoy.lb"]
    [keys] = [one["keys"] for one in subsets["subset_selectors"]]
    assert [metadata[key] for key in keys] == ["10.8.0.1:8000"]
    override = _route(made)[1]["typed_per_filter_config"][callouts.PICKER]["overrides"]
    assert override["failure_mode_allow"] is fails_open
    asked = override["grpc_service"]["envoy_grpc"]["cluster_name"]
    [assigned] = made[files.endpoints_file(asked)]["resources"]
    [one] = assigned["endpoints"][0]["lb_endpoints"]
    assert one["endpoint"]["address"]["socket_address"]["port_value"] == 5000
    assert _filters(made)[-2:] == [callouts.PICKER, "envoy.filters.http.router"]


def test_another_picker_leaves_the_streams_of_the_former_alone(tmp_path: Path) -> None:
    first, second = (
        _configured(
            tmp_path, pickers={SERVICE: Callout(resource=SERVICE, port=port, fails_open=True)}
        )
        for port in (5000, 5002)
    )
    # Envoy resets the streams of a cluster that it replaces.
    assert first[files.CLUSTERS] == second[files.CLUSTERS]
    assert first != second


def test_a_picker_that_does_not_run_is_asked_only_where_it_must(tmp_path: Path) -> None:
    for fails_open in (True, False):
        picker = Callout(resource=SERVICE, port=NOBODY, fails_open=fails_open)
        _, route = _route(_configured(tmp_path, pickers={SERVICE: picker}))
        asks = callouts.PICKER in route.get("typed_per_filter_config", {})
        assert asks is not fails_open


def test_a_router_is_asked_before_the_url_map(tmp_path: Path) -> None:
    router = Callout(resource=MAP, port=5001, fails_open=False)
    made = _configured(tmp_path, routers={MAP: router})
    table, route = _route(made)
    assert callouts.ROUTER in table["typed_per_filter_config"]
    assert callouts.ROUTER not in route.get("typed_per_filter_config", {})


def test_a_router_is_asked_about_its_hosts_only(tmp_path: Path) -> None:
    router = Callout(resource=MAP, port=5001, fails_open=False, hosts="(?i)^(llm[.]example)$")
    host = {"name": "one", "domains": ["chat.example", "llm.example"], "routes": [{"name": "all"}]}
    other, asked = callouts.by_host(host, router)
    assert (other["domains"], asked["domains"]) == (["chat.example"], ["llm.example"])
    assert callouts.ROUTER in asked["typed_per_filter_config"]
    assert "typed_per_filter_config" not in other
    assert other["name"] != asked["name"]
    assert other["routes"][0] is not asked["routes"][0]
    made = _configured(tmp_path, routers={MAP: router})
    table, _ = _route(made)
    assert callouts.ROUTER not in table["typed_per_filter_config"]


def test_without_pools_nobody_is_asked(tmp_path: Path) -> None:
    made = _configured(tmp_path)
    assert not [name for name in _filters(made) if "ext_proc" in name]
    assert "lb_subset_config" not in _cluster(made, SERVICE)
