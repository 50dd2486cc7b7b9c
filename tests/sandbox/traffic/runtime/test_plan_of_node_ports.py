"""Which endpoints the load balancer has where a node port comes and goes. Starts nothing."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

from sandbox.kubernetes.cluster_objects import ClusterObjects
from sandbox.traffic.dial_plan import DialPlan
from sandbox.traffic.runtime.plan import Inputs, plan
from tests.sandbox.traffic.runtime.running import CLUSTER, COMPUTE, Json, node, service, slice_of

ZONE = "zones/europe-west4-a"


def link(path: str) -> str:
    return f"{COMPUTE}projects/p/{path}"


DOCUMENTS: dict[str, Json] = {
    f"{ZONE}/instanceGroups/nodes": {
        "namedPorts": [{"name": "fraud", "port": 30001}],
        "_instances": ["node-1"],
    },
    "global/healthChecks/h": {"type": "HTTP", "httpHealthCheck": {"port": 30001}},
    "global/backendServices/s": {
        "portName": "fraud",
        "protocol": "HTTP",
        "loadBalancingScheme": "EXTERNAL_MANAGED",
        "healthChecks": [link("global/healthChecks/h")],
        "backends": [
            {"group": link(f"{ZONE}/instanceGroups/nodes"), "balancingMode": "UTILIZATION"}
        ],
    },
    "global/urlMaps/m": {"defaultService": link("global/backendServices/s")},
    "global/targetHttpProxies/t": {"urlMap": link("global/urlMaps/m")},
    "global/forwardingRules/f": {
        "target": link("global/targetHttpProxies/t"),
        "IPAddress": "192.0.2.1",
        "portRange": "80-80",
        "loadBalancingScheme": "EXTERNAL_MANAGED",
    },
}


def endpoints(folder: Path, port: Any, *services: Json) -> list[Json]:
    """The addresses of the backend service's endpoints."""
    objects = ClusterObjects(
        cluster=CLUSTER,
        services=list(services),
        slices=[slice_of("s", ("node-1", "10.0.0.1"))],
        nodes=[node("node-1")],
        ingresses=[],
        classes=[],
        deployments=[],
        certificates=[],
    )
    documents = {
        f"compute/projects/p/{path}": {**body, "name": path.rpartition("/")[2]}
        for path, body in DOCUMENTS.items()
    }
    made = plan(
        Inputs(
            documents=documents, objects=[objects], dial_plan=DialPlan([]), certificates={},
            default_certificate=None, folder=folder, port=port, storage=1,
            access_log=folder / "a", health_log=folder / "h", measurements=folder / "m",
        )
    )  # fmt: skip
    (found,) = (one for (kind, name), one in made.discovered.items() if name.endswith("/s"))
    return [
        one["endpoint"]["address"]["socket_address"]
        for locality in found["endpoints"]
        for one in locality["lb_endpoints"]
    ]


def test_an_instance_stays_an_endpoint_while_no_service_has_its_port(tmp_path: Path) -> None:
    numbers = count(20000)
    given: dict[str, int] = {}

    def port(name: str) -> int:
        return given.setdefault(name, next(numbers))

    opened = service("s", "NodePort", ports={"nodePort": 30001})
    before = endpoints(tmp_path, port, opened)
    assert len(before) == 1
    assert endpoints(tmp_path, port) == before
    assert endpoints(tmp_path, port, {**opened, "metadata": {**opened["metadata"],
                                      "namespace": "vision"}}) == before  # fmt: skip
