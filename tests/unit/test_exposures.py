"""The kinds of exposure by their common interface, which is all that other rooms use."""

from typing import Any

import msgspec
import pytest

from gkeplatform.environment import Environment
from gkeplatform.naming import Naming
from infra.serving.config import ServingConfig
from infra.serving.exposures.endpoint_groups import GroupNames
from infra.serving.models import Workload

NAMING = Naming(
    Environment(system="acme-ml", name="dev", project="acme-ml-dev", region="europe-west4")
)
NAMES = GroupNames(naming=NAMING, cluster="c1")
EXPOSURES: dict[str, dict[str, Any]] = {
    "cluster-ip": {},
    "load-balancer": {},
    "http-load-balancer": {"paths": ["/v1/models/words"], "hosts": ["a.example"]},
    "ingress": {"path": "/words", "hosts": ["a.example"]},
    "gateway": {"path": "/words", "hosts": ["a.example"]},
}


def entry(kind: str, name: str = "words", **more: Any) -> dict[str, Any]:
    amounts = {"cpu": "500m", "memory": "1Gi"}
    return {
        "name": name,
        "server": "tensorflow-serving",
        "source": f"gs://acme-ml-dev-models/{name}",
        "replicas": {"min": 2, "max": 2},
        "resources": {"requests": amounts, "limits": amounts},
        "exposure": {"kind": kind, **EXPOSURES[kind], **more},
    }


def config(*entries: dict[str, Any]) -> ServingConfig:
    return msgspec.convert({"models": entries, "ingress": {}}, ServingConfig)


def workload(kind: str, **more: Any) -> Workload:
    (found,) = config(entry(kind, **more)).entries
    return found


def those(name: str) -> set[str]:
    """The kinds of which a property is true."""
    return {kind for kind in EXPOSURES if getattr(workload(kind).exposure, name)}


def test_a_kind_is_known_by_its_properties() -> None:
    assert [workload(kind).exposure.kind for kind in EXPOSURES] == list(EXPOSURES)
    assert those("hosts") == {"http-load-balancer", "ingress", "gateway"}
    assert those("load_balancer_hosts") == {"http-load-balancer"}
    assert those("paths") == {"http-load-balancer"}
    assert those("route_keys") == {"ingress", "gateway"}
    assert those("needs_ingress_controller") == {"ingress"}
    assert those("needs_gateway_api") == {"gateway"}
    assert those("is_open") == {"load-balancer"}
    assert those("iap") == those("retries") == those("timeout_seconds") == set()


@pytest.mark.parametrize("kind", EXPOSURES)
def test_every_kind_has_a_service_of_its_pods(kind: str) -> None:
    server = workload(kind)
    service = server.exposure.service(server)
    assert service["selector"] == server.selector
    assert "rest" in [port["targetPort"] for port in service["ports"]]


def test_ports_of_another_number_have_another_name() -> None:
    # A preview applies the new ports beside the old, and the API server refuses two of one name.
    kinds = {kind: workload(kind) for kind in EXPOSURES}
    numbers: dict[str, set[int]] = {}
    for server in kinds.values():
        for port in server.exposure.service(server)["ports"]:
            numbers.setdefault(port["name"], set()).add(port["port"])
    assert {name for name, found in numbers.items() if len(found) > 1} == set()


@pytest.mark.parametrize("kind", EXPOSURES)
def test_only_the_shared_load_balancer_has_a_route(kind: str) -> None:
    server = workload(kind)
    route = server.exposure.route(server, zones=("z",), names=NAMES)
    assert (route is not None) == (kind == "http-load-balancer")
    url = server.exposure.url(server, "192.0.2.1", config().routes)
    assert (url is None) == (kind == "http-load-balancer")


@pytest.mark.parametrize("kind", ["cluster-ip", "load-balancer", "ingress"])
def test_a_canary_needs_a_kind_that_splits_requests(kind: str) -> None:
    second = {"weights": {"stable": 90, "canary": 10}, "source": "gs://acme-ml-dev-models/next"}
    with pytest.raises(msgspec.ValidationError, match=f"exposure {kind} cannot split requests"):
        config(entry(kind) | {"canary": second})


def test_a_node_port_is_open_and_belongs_to_one_model() -> None:
    ported: dict[str, Any] = {"backend": "instance-groups", "node_port": 30001}
    assert workload("http-load-balancer", **ported).exposure.is_open
    other = entry("http-load-balancer", "other", paths=["/v1/models/other"], **ported)
    with pytest.raises(msgspec.ValidationError, match=r"models\[1\]\.exposure\.node_port: 30001"):
        config(entry("http-load-balancer", **ported), other)


def test_the_catalog_is_expanded_once() -> None:
    second = {"weights": {"stable": 90, "canary": 10}, "source": "gs://acme-ml-dev-models/next"}
    found = config(entry("http-load-balancer") | {"canary": second})
    assert [one.name for one in found.workloads] == ["words", "words-canary"]
    assert found.workloads[1] is found.entries[0].canary
    assert found.workloads is found.workloads
