"""Backend services of versions that the load balancer comes to reach in another way.

Another node port, or endpoint groups in place of instance groups: what is new in a backend service
gets no requests until probes have found it healthy, and what was there before is gone at once. So
such a version gets a second backend service under another name. The URL map moves to it once probes
may have found it healthy, and then the first is deleted.
"""

from collections.abc import Collection, Iterable, Mapping

from gkeplatform.contracts import (
    InstanceGroupBackend,
    NegBackend,
    NetworkingContract,
    RoutedVersion,
    ServedModel,
)
from gkeplatform.naming import MAX_LENGTH, Naming, digest


def live_versions(routed: NetworkingContract | None) -> dict[str, RoutedVersion]:
    """What the load balancer sends requests to, by version; `routed` was published last."""
    models = routed.models if routed else ()
    return {version.name: version for model in models for version in model.versions}


def moved(
    versions: Iterable[ServedModel], live: Mapping[str, RoutedVersion], kept: Collection[str]
) -> frozenset[str]:
    """The versions whose pods are reached in another way than before, and still in the former.

    `kept` are those that serving keeps the former way for. Without it there is nothing to wait for.
    """
    return frozenset(
        one.name
        for one in versions
        if one.route
        and one.name in kept
        and one.name in live
        and way(live[one.name].backend) != way(one.route.backend)
    )


def joining(versions: Iterable[ServedModel], live: Mapping[str, RoutedVersion]) -> frozenset[str]:
    """The canaries that are new beside a model which the load balancer sends requests to."""
    found = {
        one.route.canary.name
        for one in versions
        if one.route and one.route.canary and one.name in live
    }
    return frozenset(found - live.keys())


def role(
    name: str,
    backend: NegBackend | InstanceGroupBackend,
    live: RoutedVersion | None,
    naming: Naming,
    *,
    is_moved: bool,
) -> str:
    """The last part of the physical names of a version's backend service and health check.

    The version's name, or that with a digest: if it is moved, never that of the live service.
    """
    if live is None:
        return name
    present = live.service.removeprefix(naming.prefix) or name
    if not is_moved:
        return present
    if present != name:
        return name
    suffix = digest(way(backend))
    longest = MAX_LENGTH - len(naming.prefix) - len(suffix) - 1
    return f"{name[:longest].rstrip('-')}-{suffix}"


def way(backend: NegBackend | InstanceGroupBackend) -> str:
    """How the load balancer reaches the pods. More zones and pools are the same way."""
    if isinstance(backend, NegBackend):
        return backend.name
    return f"node-port-{backend.node_port}"
