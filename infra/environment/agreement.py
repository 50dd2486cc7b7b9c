"""Checks that the layers' contracts describe the same environment.

The layers are deployed at different times. A replaced cluster, or a catalog that was deployed
without the networking layer, is reported here, before it fails in a user's request.
"""

from collections.abc import Iterator

from gkeplatform import planned
from gkeplatform.contracts import (
    ClusterContract,
    ModelUrl,
    NegBackend,
    NetworkingContract,
    ServedModel,
    ServingContract,
)
from gkeplatform.errors import PlatformError


def agreed(
    environment: str,
    cluster: ClusterContract,
    serving: ServingContract,
    networking: NetworkingContract,
) -> None:
    """`PlatformError` lists all contradictions between the contracts."""
    problems = [
        *same_cluster(cluster, serving, networking),
        *same_models(serving, networking),
        *own_backends(cluster, serving, networking),
    ]
    if problems:
        listed = "".join(f"\n  - {problem}" for problem in problems)
        raise PlatformError(
            f"the layers of {environment} do not agree:{listed}\n"
            f"hint: deploy them in order with `platformctl up {environment}`"
        )


def same_cluster(
    cluster: ClusterContract, serving: ServingContract, networking: NetworkingContract
) -> Iterator[str]:
    """Serving and networking were deployed on the current cluster."""
    for layer, name in (("serving", serving.cluster), ("networking", networking.cluster)):
        if name != cluster.name:
            yield f"{layer} was deployed on cluster {name}; the cluster is {cluster.name}"


def same_models(serving: ServingContract, networking: NetworkingContract) -> Iterator[str]:
    """Every routed model is served, and every model with a route is routed."""
    wanted = {model.name for model in serving.models if model.route}
    routed = {model.name for model in networking.models}
    for name in sorted(routed - wanted):
        yield f'networking routes model "{name}", which serving does not expose'
    for name in sorted(wanted - routed):
        yield f'serving exposes model "{name}", which networking does not route'


def own_backends(
    cluster: ClusterContract, serving: ServingContract, networking: NetworkingContract
) -> Iterator[str]:
    """Every group behind the load balancer belongs to this cluster.

    In a preview, a group that is yet to be created is not known, and nothing is said of it.
    """
    instance_groups = {relative(group.url) for group in cluster.instance_groups}
    served = {model.name: model for model in serving.models}
    for model in networking.models:
        negs = endpoint_groups(served.get(model.name), cluster)
        for group in model.groups:
            if group == planned.UNKNOWN:
                continue
            path = relative(group)
            if path not in instance_groups and path.partition("/")[2] not in negs:
                yield (
                    f'model "{model.name}" is routed to {path}, which is not a group of '
                    f"cluster {cluster.name}"
                )


def endpoint_groups(model: ServedModel | None, cluster: ClusterContract) -> set[str]:
    """Paths of the endpoint groups that GKE creates for `model` in the cluster's zones."""
    route = model.route if model else None
    if route is None:
        return set()
    backends = [route.backend, *([route.canary.backend] if route.canary else [])]
    return {
        f"zones/{zone}/networkEndpointGroups/{backend.name}"
        for backend in backends
        if isinstance(backend, NegBackend)
        for zone in cluster.zones
    }


def relative(link: str) -> str:
    """A self link relative to `projects/`: `<project>/zones/…`."""
    return link.partition("/projects/")[2] or link


def models(serving: ServingContract, networking: NetworkingContract) -> list[ModelUrl]:
    """Every model with its URL, in the order of the catalog."""
    routed = {model.name: model.url for model in networking.models}
    return [
        ModelUrl(name=model.name, url=url, address=model.address)
        for model in serving.models
        if (url := routed.get(model.name) or model.url)
    ]
