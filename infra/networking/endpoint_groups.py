"""The groups that stand behind the models' backend services.

Instance groups are the cluster layer's. Network endpoint groups are nobody's: GKE makes them some
time after the Service that asks for them, so they are awaited before anything refers to them.
"""

import time
from collections.abc import Callable, Iterable

import pulumi
from pulumi_gcp import compute

from gkeplatform.contracts import ClusterContract, NegBackend, ServedModel, ServingContract
from gkeplatform.errors import PlatformError
from infra.networking.routing import versions

Find = Callable[[str, str], str | None]
"""The self link of a network endpoint group by its name and zone; None: not there (yet)."""

POLL_SECONDS = 2.0


def groups(
    cluster: ClusterContract, serving: ServingContract, find: Find, *, wait_seconds: float
) -> dict[str, tuple[str, ...]]:
    """By version of a model, the self links of the groups behind it, every one of which exists."""
    deadline = time.monotonic() + wait_seconds
    return {
        model.name: tuple(links(model, cluster, find, deadline))
        for model in versions(serving.models)
    }


def links(
    model: ServedModel, cluster: ClusterContract, find: Find, deadline: float
) -> Iterable[str]:
    """The self links of the groups behind one model; `PlatformError` when one does not come."""
    backend = model.route.backend if model.route else None
    if not isinstance(backend, NegBackend):
        yield from (group.url for group in cluster.instance_groups)
        return
    for zone in backend.zones:
        while (link := find(backend.name, zone)) is None:
            if time.monotonic() >= deadline:
                raise PlatformError(
                    f'model "{model.name}": network endpoint group {backend.name} has not come '
                    f"in zone {zone}; GKE makes it for Service {model.namespace}/{model.name}, in "
                    "each zone that has nodes\n"
                    f"hint: kubectl -n {model.namespace} describe service {model.name}; wait "
                    "longer with gke-networking:neg_wait_seconds"
                )
            time.sleep(POLL_SECONDS)
        yield link


def finder(provider: pulumi.ProviderResource) -> Find:
    """Looks network endpoint groups up in Google Cloud."""

    def find(name: str, zone: str) -> str | None:
        options = pulumi.InvokeOptions(provider=provider)
        try:
            found = compute.get_network_endpoint_group(name=name, zone=zone, opts=options)
        except Exception as error:
            if is_absence(str(error)):
                return None
            raise PlatformError(
                f"network endpoint group {name} in zone {zone} cannot be read: "
                f"{str(error).strip().splitlines()[-1]}"
            ) from None
        return str(found.self_link)

    return find


def is_absence(message: str) -> bool:
    """Whether a provider's error says that there is no such thing, rather than any other."""
    said = message.lower()
    return "not found" in said or "notfound" in said or "404" in said
