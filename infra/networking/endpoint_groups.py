"""The instance groups and network endpoint groups (NEGs) of the models' backend services.

The cluster layer publishes the instance groups. GKE creates NEGs some time after the Service that
asks for them, so the layer waits for them before it declares a backend service.
"""

import re
import time
from collections.abc import Callable, Iterable

import pulumi
from pulumi_gcp import compute

from gkeplatform import planned
from gkeplatform.contracts import (
    ClusterContract,
    InstanceGroup,
    NegBackend,
    ServedModel,
    ServingContract,
)
from gkeplatform.errors import PlatformError
from gkeplatform.layers import SERVING
from gkeplatform.lookups import existing
from infra.networking.url_map.versions import versions

Find = Callable[[str, str], str | None]
"""The self link of a NEG by name and zone; None while it does not exist."""

Created = Callable[[str, str], str | None]
"""When an instance group was created, by name and zone; None if it does not exist."""

POLL_SECONDS = 2.0

_PARTS = re.compile(r"/zones/([^/]+)/instanceGroups/([^/]+)$")


def groups(
    cluster: ClusterContract, serving: ServingContract, find: Find, *, wait_seconds: float
) -> dict[str, tuple[str, ...]]:
    """Self links of the existing groups of each version."""
    deadline = time.monotonic() + wait_seconds
    return {
        model.name: tuple(links(model, cluster, find, deadline))
        for model in versions(serving.models)
    }


def links(
    model: ServedModel, cluster: ClusterContract, find: Find, deadline: float
) -> Iterable[str]:
    """Self links of one version's groups; `PlatformError` if a NEG is not created in time."""
    backend = model.route.backend if model.route else None
    if not isinstance(backend, NegBackend):
        yield from (group.url for group in cluster.instance_groups)
        return
    for zone in backend.zones:
        while (link := find(backend.name, zone)) is None:
            if time.monotonic() >= deadline:
                raise PlatformError(
                    f'model "{model.name}": network endpoint group {backend.name} does not '
                    f"exist in zone {zone}; GKE creates it for Service {model.namespace}/"
                    f"{model.name}, in each zone that has nodes\n"
                    f"hint: kubectl -n {model.namespace} describe service {model.name}; wait "
                    "longer with gke-networking:neg_wait_seconds"
                )
            time.sleep(POLL_SECONDS)
        yield link


def finder(provider: pulumi.ProviderResource) -> Find:
    """Looks up NEGs in Google Cloud.

    Where the preview of serving announced its models, GKE has yet to create some.
    """
    serving_is_planned = planned.is_planned(SERVING)

    def find(name: str, zone: str) -> str | None:
        get = compute.get_network_endpoint_group
        found = existing(get, "network endpoint group", provider, name=name, zone=zone)
        if found is None and serving_is_planned:
            return planned.UNKNOWN
        return None if found is None else str(found.self_link)

    return find


def creation_times(
    cluster: ClusterContract, serving: ServingContract, created: Created
) -> dict[InstanceGroup, str]:
    """The instance groups and when each was created; empty where no model uses them."""
    used = any(
        model.route is not None and not isinstance(model.route.backend, NegBackend)
        for model in versions(serving.models)
    )
    found = {}
    for group in cluster.instance_groups if used else ():
        if group.url == planned.UNKNOWN:
            found[group] = planned.UNKNOWN
            continue
        name = group_name(group.url)
        moment = created(name, group.zone)
        if moment is None:
            raise PlatformError(
                f"instance group {name} of node pool {group.pool} does not exist in zone "
                f"{group.zone}, though the cluster layer published it\n"
                "hint: run `pulumi up --refresh` in infra/cluster"
            )
        found[group] = moment
    return found


def clock(provider: pulumi.ProviderResource) -> Created:
    """Looks up when instance groups were created: their managers say it."""

    def created(name: str, zone: str) -> str | None:
        get = compute.get_instance_group_manager
        found = existing(get, "instance group", provider, name=name, zone=zone)
        return None if found is None else str(found.creation_timestamp)

    return created


def group_name(url: str) -> str:
    """The name in the self link of an instance group."""
    if url == planned.UNKNOWN:
        return url
    match = _PARTS.search(url)
    if match is None:
        raise ValueError(f"{url} is not the self link of an instance group")
    return match[2]
