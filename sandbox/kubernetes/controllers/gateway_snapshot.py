"""The objects that Gateways are made from, and what they refer to. Pure functions."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from sandbox.kubernetes.controllers import gateway_classes, inference_pools
from sandbox.kubernetes.controllers import gateway_compute as shape
from sandbox.kubernetes.controllers.endpoint_groups import STATUS
from sandbox.kubernetes.controllers.gateway_classes import GatewayClass

Json = dict[str, Any]
_NAMESPACE = "kubernetes.io/metadata.name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Where the cluster is: region, network and subnetwork as the compute API has them."""

    region: str
    network: str
    subnetwork: str
    node_tag: str = ""
    """Network tag of the nodes."""

    def network_of(self, kind: GatewayClass) -> Json:
        """Return the fields of a forwarding rule that say where it is; a global one has none."""
        if not kind.is_regional:
            return {}
        found = {"network": self.network}
        if kind.scheme == "INTERNAL_MANAGED" and self.subnetwork:
            found["subnetwork"] = self.subnetwork
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Snapshot of the cluster's objects."""

    gateways: list[Json]
    routes: list[Json]
    health_checks: list[Json]
    backend_policies: list[Json]
    services: dict[tuple[str, str], Json]
    workloads: list[Json]
    """Deployments and StatefulSets; one of these has the leaders of a LeaderWorkerSet."""
    namespaces: dict[str, dict[str, str]]
    """Labels by name."""
    pools: dict[tuple[str, str], Json] = field(default_factory=dict)
    """InferencePools by namespace and `inference_pools.named`."""
    zones: tuple[str, ...] = ()
    """The zones of the nodes."""
    extensions: list[Json] = field(default_factory=list)
    """GCPRoutingExtensions."""

    def has(self, key: tuple[str, str]) -> bool:
        """Whether a Service or InferencePool exists."""
        return key in self.services or key in self.pools


def accepts(listener: Json, reference: Json, route: Json, gateway: Json, seen: Snapshot) -> bool:
    """Whether a listener accepts a route that refers to it."""
    if reference.get("sectionName") not in (None, listener["name"]):
        return False
    allowed: Json = (listener.get("allowedRoutes") or {}).get("namespaces") or {}
    namespace = route["metadata"]["namespace"]
    match allowed.get("from", "Same"):
        case "All":
            return True
        case "Selector":
            wanted: Json = (allowed.get("selector") or {}).get("matchLabels") or {}
            labels = {_NAMESPACE: namespace, **seen.namespaces.get(namespace, {})}
            return all(labels.get(key) == value for key, value in wanted.items())
        case _:
            return bool(namespace == gateway["metadata"]["namespace"])


def own(gateway: Json) -> tuple[str, str]:
    """Return namespace and name of a Gateway."""
    return gateway["metadata"]["namespace"], gateway["metadata"]["name"]


def references(route: Json, gateway: Json) -> list[Json]:
    """Return the parts of a route that refer to a Gateway."""
    return [
        reference
        for reference in route["spec"].get("parentRefs") or ()
        if (reference.get("namespace", route["metadata"]["namespace"]), reference["name"])
        == own(gateway)
    ]


def backend_keys(route: Json) -> list[tuple[str, str, int]]:
    """Return what a route leads to, mirrors included: namespace, name and port."""
    namespace = route["metadata"]["namespace"]
    return [
        shape.reference(backend, namespace)
        for rule in route["spec"].get("rules") or ()
        for backend in shape.backend_references(rule)
    ]


def missing(route: Json, seen: Snapshot) -> list[str]:
    """Return kind and name of what a route leads to and does not exist."""
    found = set()
    for namespace, name, _ in backend_keys(route):
        if not seen.has((namespace, name)):
            pool = inference_pools.pool_name(name)
            found.add(f"InferencePool {pool}" if pool else f"Service {name}")
    return sorted(found)


def is_pool(key: tuple[str, str, int]) -> bool:
    """Whether a key of `backend_keys` is an InferencePool's."""
    return inference_pools.pool_name(key[1]) is not None


def target_of(policy: Json) -> tuple[str, str]:
    """Return the first two parts of the key of what a policy applies to."""
    return policy["metadata"]["namespace"], inference_pools.named(policy["spec"]["targetRef"])


def leads_to(gateway: Json, key: tuple[str, str], seen: Snapshot) -> bool:
    """Whether a route of a Gateway of a class that takes pools leads to a pool."""
    kind = gateway_classes.of(gateway)
    return (
        kind is not None
        and kind.takes_pools
        and any(
            key in [one[:2] for one in backend_keys(route)]
            for route in seen.routes
            if references(route, gateway)
        )
    )


def extension_of(gateway: Json, seen: Snapshot) -> Json | None:
    """The oldest GCPRoutingExtension of a Gateway."""
    namespace, name = own(gateway)
    found = [
        one
        for one in seen.extensions
        if one["metadata"]["namespace"] == namespace
        and any(
            target["kind"] == "Gateway" and target["name"] == name
            for target in one["spec"]["targetRefs"]
        )
    ]
    return min(found, key=lambda one: str(one["metadata"]["creationTimestamp"]), default=None)


def policy_of(policies: list[Json], key: tuple[str, str, int]) -> Json:
    """Return the spec of a Service's policy. If there are several, the oldest applies."""
    aimed = [one for one in policies if target_of(one) == key[:2]]
    oldest = min(aimed, key=lambda one: str(one["metadata"]["creationTimestamp"]), default=None)
    return dict((oldest or {"spec": {}})["spec"].get("default") or {})


def group_links(service: Json, port: int, project: str) -> list[str]:
    """Return the endpoint group links of a Service's port, from its status annotation."""
    annotation = (service["metadata"].get("annotations") or {}).get(STATUS)
    status: Json = json.loads(annotation) if annotation else {}
    name = (status.get("network_endpoint_groups") or {}).get(str(port))
    return [
        f"projects/{project}/zones/{zone}/networkEndpointGroups/{name}"
        for zone in (status.get("zones") or ())
        if name
    ]
