"""Model servers that have left the catalogue while the load balancer still sends requests to them.

A canary that is taken back, or a model that is renamed, would be gone before networking, which is
deployed next, has let go of it: its share of the requests would meet no endpoint. So its
Deployment, Services and disruption budget stay as they are, whatever they are: the engine keeps
their former inputs (`ignore_changes`), which the stack file does not say any more. The deployment
after networking's removes them. What else it had (autoscaler, secrets) goes at once.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import pulumi
from pulumi_kubernetes.apps import v1 as apps
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.policy import v1 as policy

from gkeplatform.contracts import InstanceGroupBackend, RoutedVersion, ServingContract
from infra.serving.exposures import node_ports
from infra.serving.exposures.endpoint_groups import GroupNames
from infra.serving.manifest import sdk
from infra.serving.models import Workload, files

TYPE = "gkeplatform:serving:ModelServer"
"""The component of a model server, in the catalogue or not: its objects keep their names."""
_ALL = ["metadata", "spec"]


def outlasting(workloads: Sequence[Workload], leaving: Collection[str] = ()) -> tuple[str, ...]:
    """The versions whose pods need nothing but their Deployment and Services.

    Not those on several hosts, nor with a gateway for callers, nor with a volume of their own: its
    claim is deleted with the entry, and waits for the pods to end.
    """
    plain = {
        one.name
        for one in workloads
        if not (one.is_group or one.callers or files.shared_volume(one.files))
    }
    return tuple(sorted({*plain, *leaving}))


def leaving(
    workloads: Sequence[Workload],
    names: GroupNames,
    serving: ServingContract | None,
    namespaces: Collection[str],
) -> dict[str, RoutedVersion]:
    """The versions that the load balancer uses, and the catalogue has no more.

    `serving` is what this layer published last: only what it deployed can stay. Not in
    `namespaces`: the namespace goes as well. A node port that another model takes leads to that
    one's pods.
    """
    catalogue = {one.name for one in workloads}
    taken = {one.exposure.node_port for one in workloads}
    deployed = serving.outlasting if serving else ()
    return {
        name: version
        for name, version in sorted(names.live.items())
        if name in deployed
        and name not in catalogue
        and version.namespace in namespaces
        and version.cluster in ("", names.cluster)
        and _node_port(version) not in taken - {None}
    }


class FormerServer(pulumi.ComponentResource):
    """The Deployment, Services and budget of a version that has left the catalogue."""

    def __init__(
        self, name: str, version: RoutedVersion, *, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(TYPE, name, None, opts)
        pulumi.log.warn(
            f'"{name}" has left the catalogue and keeps its pods, since the load balancer uses '
            "them until networking is deployed; the next deployment of serving after that removes "
            "them",
            resource=self,
        )
        former = pulumi.ResourceOptions(parent=self, ignore_changes=_ALL)
        unsaid = sdk({})
        for service in _services(version):
            core.Service(service, metadata=_metadata(version, service), spec=unsaid, opts=former)
        apps.Deployment(name, metadata=_metadata(version, name), spec=unsaid, opts=former)
        # It serves requests, so a drain must not evict all of it.
        policy.PodDisruptionBudget(
            name, metadata=_metadata(version, name), spec=unsaid, opts=former
        )
        self.register_outputs({})


def _services(version: RoutedVersion) -> Iterator[str]:
    yield version.name
    if number := _node_port(version):
        yield node_ports.service_name(number)


def _node_port(version: RoutedVersion) -> int | None:
    backend = version.backend
    return backend.node_port if isinstance(backend, InstanceGroupBackend) else None


def _metadata(version: RoutedVersion, name: str) -> Any:
    return sdk({"name": name, "namespace": version.namespace})
