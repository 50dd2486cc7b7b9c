"""What a model keeps until the load balancer has let go of it.

Networking is deployed after this layer. In between, the load balancer sends requests to what
networking published last. A change of `backend`, `protocol` or `kind` would cut them off; so the
model keeps its former endpoint groups or node port, and the deployment after networking's removes
them. A version that has left the catalogue, such as a canary that is taken back, keeps its pods
just as long (`former_servers.py`). Where that is impossible, the operator is told.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gkeplatform.contracts import (
    InstanceGroupBackend,
    NegBackend,
    NetworkingContract,
    RoutedVersion,
    ServingContract,
)
from gkeplatform.errors import PlatformError
from gkeplatform.naming import Naming
from infra.serving import changed_kinds, changed_ports, former_servers
from infra.serving.exposures import node_ports
from infra.serving.exposures.endpoint_groups import GroupNames, live_versions
from infra.serving.former_servers import Former
from infra.serving.models.workload import Workload
from infra.serving.patterns import NODE_PORTS
from infra.serving.tenancy.tenants import Tenant


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What a version keeps besides what its exposure needs."""

    groups: Mapping[int, str] = field(default_factory=dict)
    """Names of endpoint groups by port of the Service."""
    node_port: int | None = None
    advice: str | None = None
    """What the operator must know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveRoutes:
    """The names of all endpoint groups, and what each version keeps."""

    names: GroupNames
    kept: Mapping[str, Kept]
    """By version of a model."""
    node_ports: Mapping[int, str] = field(default_factory=dict)
    """The namespace of the Service that has each node port."""
    ports: Mapping[str, Collection[str]] = field(default_factory=dict)
    """The names of the ports whose numbers change, by version of a model."""
    kinds: Mapping[str, Collection[str]] = field(default_factory=dict)
    """The places of pods where something changes its kind, by version of a model."""
    leaving: Mapping[str, Former] = field(default_factory=dict)
    """Versions that have left the catalogue, and keep their pods."""

    @property
    def lasting(self) -> list[str]:
        """The versions that keep something."""
        kept = {name for name, kept in self.kept.items() if kept.groups or kept.node_port}
        return sorted({*kept, *self.leaving})

    @property
    def has_groups(self) -> bool:
        """Whether pods on several hosts are among those that stay."""
        return any(one.outlasting.group_port for one in self.leaving.values())

    @property
    def guarded(self) -> frozenset[str]:
        """The namespaces in which gateways that ask for keys are among what stays."""
        return frozenset(
            one.version.namespace for one in self.leaving.values() if one.outlasting.is_guarded
        )

    def opened(self, tenants: Sequence[Tenant]) -> tuple[Tenant, ...]:
        """The tenants, open to requests for what is kept and for what stays."""
        namespaces = {
            self.names.live[name].namespace for name, kept in self.kept.items() if kept.node_port
        } | {
            one.version.namespace
            for one in self.leaving.values()
            if isinstance(one.version.backend, InstanceGroupBackend)
        }
        return tuple(
            former_servers.housing(
                replace(one, has_open_models=one.has_open_models or one.namespace in namespaces),
                self.leaving.values(),
                shared=tenants[0].namespace,
            )
            for one in tenants
        )


def live_routes(
    workloads: Sequence[Workload],
    networking: NetworkingContract | None,
    naming: Naming,
    *,
    cluster: str,
    serving: ServingContract | None = None,
    tenants: Sequence[Tenant] = (),
    has_keys: bool = False,
) -> LiveRoutes:
    """`PlatformError` if a model claims a node port by which requests for another still come.

    `networking` is what that layer published last, and `serving` what this one did; `cluster` is
    the cluster's generation. `tenants` have the namespaces that stay, and `has_keys` tells whether
    there are callers' keys for the gateways that stay.
    """
    names = GroupNames(naming=naming, cluster=cluster, live=live_versions(networking, naming))
    _refuse_live_node_ports(workloads, names)
    ports, kinds = changed_ports.deployed(serving), changed_kinds.deployed(serving)
    leaving = former_servers.leaving(
        workloads, names, serving, {one.namespace for one in tenants}, has_keys=has_keys
    )
    return LiveRoutes(
        names=names,
        kept={one.name: _told(one, kept(one, names), serving) for one in workloads},
        node_ports=node_ports.namespaces(serving, names.live.values()),
        ports={one.name: changed_ports.changed(one, ports) for one in workloads},
        kinds={one.name: changed_kinds.changed(one, kinds) for one in workloads},
        leaving=leaving,
    )


def kept(workload: Workload, names: GroupNames) -> Kept:
    """What `workload` keeps for the load balancer."""
    live = names.live.get(workload.name)
    if live is None:
        return Kept()
    exposure = workload.exposure
    match live.backend:
        case InstanceGroupBackend(node_port=port):
            if port == exposure.node_port:
                return Kept(advice=_moved_advice(workload, live, names))
            has_rest = workload.rest_port is not None and exposure.protocol != "grpc"
            if has_rest and names.is_here(live, workload):
                return Kept(node_port=port, advice=_kept_advice(workload, f"node port {port}"))
        case NegBackend(name=name, port=port):
            own = exposure.endpoint_groups(workload, names)
            if name in own.values():
                return Kept()
            ports = {one["port"] for one in exposure.service(workload)["ports"]} - set(own)
            is_possible = port in ports and exposure.keeps_endpoint_groups
            if is_possible and names.is_here(live, workload):
                advice = _kept_advice(workload, f"endpoint group {name}")
                return Kept(groups={port: name}, advice=advice)
    return Kept(
        advice=f'{workload.key}: the load balancer has no endpoints for "{workload.name}" from now '
        "until networking is deployed; deploy it next, as `platformctl up` does"
    )


def _told(workload: Workload, found: Kept, serving: ServingContract | None) -> Kept:
    """What it keeps, with advice for a server that does not speak what the load balancer does."""
    before = next(
        (
            one.route.protocol
            for one in (serving.models if serving else ())
            if one.route and (one.namespace, one.name) == (workload.namespace, workload.served_name)
        ),
        "http",
    )
    if found.advice is not None or before != "http2" or workload.server == "custom":
        return found
    advice = (
        f'{workload.key}: the load balancer speaks HTTP/2 to "{workload.name}" until networking is '
        f"deployed, and {workload.server} does not; its requests fail until then. To lose none, "
        "remove exposure.protocol first and deploy, and change the server afterwards"
    )
    return replace(found, advice=advice)


def _moved_advice(workload: Workload, live: RoutedVersion, names: GroupNames) -> str | None:
    """What moving its node port to another namespace of the same cluster interrupts."""
    if live.namespace == workload.namespace or live.cluster not in ("", names.cluster):
        return None
    return (
        f'{workload.key}: node port {workload.exposure.node_port} of "{workload.name}" moves from '
        f"namespace {live.namespace} to {workload.namespace} once its pods there are ready. Two "
        "Services cannot have one port, so requests by way of it fail for about a second"
    )


def _kept_advice(workload: Workload, what: str) -> str:
    return (
        f'{workload.key}: "{workload.name}" keeps {what}, since the load balancer uses it until '
        "networking is deployed; the next deployment of serving after that removes it"
    )


def _refuse_live_node_ports(workloads: Sequence[Workload], names: GroupNames) -> None:
    """Refuses a node port by which the load balancer reaches another model of the catalog."""
    catalog = {one.name for one in workloads}
    owners = {
        version.backend.node_port: version.name
        for version in names.live.values()
        if isinstance(version.backend, InstanceGroupBackend) and version.name in catalog
    }
    taken = {*owners, *(one.exposure.node_port for one in workloads)}
    free = next((port for port in NODE_PORTS if port not in taken), None)
    for workload in workloads:
        port = workload.exposure.node_port
        owner = owners.get(port, workload.name) if port is not None else workload.name
        if owner != workload.name:
            key = "node_port" if workload.key.endswith(".canary") else "exposure.node_port"
            raise PlatformError(
                f'{workload.key}.{key}: the load balancer reaches "{owner}" by node port {port}; '
                f'choose another, such as {free}, or deploy the change of "{owner}" first, '
                "networking included"
            )
