"""Model servers that have left the catalogue while the load balancer still sends requests to them.

A canary that is taken back, or a model that is renamed, would be gone before networking, which is
deployed next, has let go of it: its share of the requests would meet no endpoint. So all that it
had stays as it is, whatever it is: pods on one host or several, Services, budget, autoscaler,
volume, ConfigMaps, Secrets, and the gateway that asks callers for keys. The engine keeps the former
inputs (`ignore_changes`), which the stack file does not say any more. The deployment after
networking's removes them.

The policy pack sees the former inputs: the engine puts them in place of what the program says
before it asks provider and policies. So nothing is hidden, and a version that stays is judged as it
was before; only a rule that was added or became mandatory in between can refuse it. That would keep
it from leaving: waive the rule for one deployment. `platformctl policy check` runs without a state
and judges the stack file alone, where nothing has left.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource

from gkeplatform.contracts import (
    InstanceGroupBackend,
    Outlasting,
    OwnObject,
    RoutedVersion,
    ServingContract,
)
from infra.serving.exposures.endpoint_groups import GroupNames
from infra.serving.models import Workload
from infra.serving.tenancy.tenants import Group, Tenant

TYPE = "gkeplatform:serving:ModelServer"
"""The component of a model server, in the catalogue or not: its objects keep their names."""
_BODY = {"kubernetes:core/v1:ConfigMap": "data"}
"""What an object says besides its metadata, where it is not `spec`."""


@dataclass(frozen=True, slots=True)
class Former:
    """A version that has left the catalogue and stays."""

    version: RoutedVersion
    """As networking published it."""
    outlasting: Outlasting
    """As this layer published it."""


def outlasting(
    workloads: Sequence[Workload],
    names: GroupNames,
    leaving: Mapping[str, Former],
    objects: Mapping[str, tuple[OwnObject, ...]],
) -> tuple[Outlasting, ...]:
    """What to publish: the versions that the load balancer reaches, or may still reach.

    `objects` are those that were declared for each version in the catalogue.
    """
    reached = (
        one
        for one in workloads
        if one.name in names.live
        or one.exposure.node_port
        or one.exposure.endpoint_groups(one, names)
    )
    here = [
        Outlasting(
            name=one.name,
            objects=objects[one.name],
            is_guarded=bool(one.callers),
            group_port=one.port_name if one.is_group else "",
        )
        for one in reached
    ]
    return (*here, *(one.outlasting for one in leaving.values()))


def leaving(
    workloads: Sequence[Workload],
    names: GroupNames,
    serving: ServingContract | None,
    namespaces: Collection[str],
    *,
    has_keys: bool,
) -> dict[str, Former]:
    """The versions that the load balancer uses, and the catalogue has no more.

    `serving` is what this layer published last: only what it deployed can stay. Not in
    `namespaces`: the namespace goes as well. Without callers' keys (`has_keys`) a gateway that
    asks for them goes. A node port or a name that another model takes leads to that one's pods.
    """
    catalogue = {one.name for one in workloads}
    taken = {one.exposure.node_port for one in workloads} - {None}
    deployed = {one.name: one for one in (serving.outlasts if serving else ())}
    return {
        name: Former(version, deployed[name])
        for name, version in sorted(names.live.items())
        if name in deployed
        and name not in catalogue
        and not any(one.name in catalogue for one in deployed[name].objects)
        and version.namespace in namespaces
        and version.cluster in ("", names.cluster)
        and _node_port(version) not in taken
        and (has_keys or not deployed[name].is_guarded)
    }


def housing(tenant: Tenant, formers: Iterable[Former], *, shared: str) -> Tenant:
    """The tenant with what the versions that stay in its namespace need, such as network policies.

    `shared` is the namespace of the rate limit service.
    """
    own = [one for one in formers if one.version.namespace == tenant.namespace]
    if not own:
        return tenant
    stay = [one.outlasting for one in own]
    alone = [one for one in stay if not one.group_port]
    groups = [Group(one.name, one.group_port, one.is_guarded) for one in stay if one.group_port]
    is_guarded = any(one.is_guarded for one in stay)
    return replace(
        tenant,
        has_models=True,
        has_plain_models=tenant.has_plain_models or any(not one.is_guarded for one in alone),
        has_guarded_models=tenant.has_guarded_models or any(one.is_guarded for one in alone),
        limits_namespace=tenant.limits_namespace or (shared if is_guarded else None),
        groups=(*tenant.groups, *groups),
    )


class FormerServer(pulumi.ComponentResource):
    """The objects of one component of a version that has left the catalogue, as they were."""

    def __init__(
        self,
        name: str,
        objects: Iterable[OwnObject],
        *,
        type_: str = TYPE,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`objects` may have others, of other components than `type_`."""
        super().__init__(type_, name, None, opts)
        if type_ == TYPE:
            pulumi.log.warn(
                f'"{name}" has left the catalogue and keeps its pods, since the load balancer uses '
                "them until networking is deployed; the next deployment of serving after that "
                "removes them",
                resource=self,
            )
        for one in objects:
            if one.owner == type_:
                _as_it_was(one, self)
        self.register_outputs({})


def _as_it_was(one: OwnObject, parent: pulumi.Resource) -> None:
    """Declares an object of any kind, all of whose inputs are the former ones."""
    group_and_version, _, kind = one.type.removeprefix("kubernetes:").rpartition(":")
    everything = ["apiVersion", "kind", "metadata", _BODY.get(one.type, "spec")]
    CustomResource(
        one.name,
        api_version=group_and_version,
        kind=kind,
        opts=pulumi.ResourceOptions(parent=parent, ignore_changes=everything),
    )


def _node_port(version: RoutedVersion) -> int | None:
    backend = version.backend
    return backend.node_port if isinstance(backend, InstanceGroupBackend) else None
