"""Backend services of versions that the load balancer comes to reach in another way.

Another node port, endpoint groups in place of instance groups, the groups of another port or
cluster: what is new in a backend service gets no requests until probes have found it healthy, and
what was there before is gone at once. So such a version gets a second backend service under another
name. The URL map moves to it once probes may have found it healthy, and then the first is deleted.
"""

import zlib
from collections.abc import Iterable

from gkeplatform.contracts import (
    InstanceGroupBackend,
    NegBackend,
    NetworkingContract,
    RoutedVersion,
    ServedModel,
)
from gkeplatform.naming import Naming

_LONGEST = 63


def live_versions(routed: NetworkingContract | None) -> dict[str, RoutedVersion]:
    """What the load balancer sends requests to, by version; `routed` was published last."""
    models = routed.models if routed else ()
    return {version.name: version for model in models for version in model.versions}


def role(
    name: str,
    backend: NegBackend | InstanceGroupBackend,
    live: RoutedVersion | None,
    naming: Naming,
) -> str:
    """The last part of the physical names of a version's backend service and health check.

    The version's name, or that with a digest: never that of a live service with other backends.
    """
    if live is None:
        return name
    present = live.service.removeprefix(naming.prefix) or name
    if way(live.backend) == way(backend):
        return present
    if present != name:
        return name
    digest = f"{zlib.crc32(way(backend).encode()):08x}"
    longest = _LONGEST - len(naming.prefix) - len(digest) - 1
    return f"{name[:longest].rstrip('-')}-{digest}"


def way(backend: NegBackend | InstanceGroupBackend) -> str:
    """How the load balancer reaches the pods. More zones and pools are the same way."""
    if isinstance(backend, NegBackend):
        return backend.name
    return f"node-port-{backend.node_port}"


def joining(models: Iterable[ServedModel], live: dict[str, RoutedVersion]) -> frozenset[str]:
    """The versions that take requests over from what is live: moved ones, and new canaries."""
    found = set()
    for model in models:
        if model.route is None:
            continue
        before = live.get(model.name)
        if before is not None and way(before.backend) != way(model.route.backend):
            found.add(model.name)
        canary = model.route.canary
        if before is not None and canary is not None and canary.name not in live:
            found.add(canary.name)
    return frozenset(found)
