"""Rules about labels: what runs says whose it is."""

import json
from collections.abc import Iterable, Iterator
from typing import Annotated

from msgspec import Meta, field

from gkeplatform.config import Settings
from gkeplatform.environment import environment_of
from policies.rule import google, kubernetes_docs, mandatory
from policies.subjects import Path, Resource, Selector, gcp, kubernetes
from policies.values import Props, block

REQUIRED = ("system", "environment", "layer", "managed-by")
REQUIRED_IN_KUBERNETES = (
    "app.kubernetes.io/name",
    "app.kubernetes.io/part-of",
    "app.kubernetes.io/managed-by",
    "environment",
)

_PLACES: dict[str, tuple[str, ...]] = {
    "gcp:container/cluster:Cluster": ("resourceLabels",),
    "gcp:container/nodePool:NodePool": ("nodeConfig", "resourceLabels"),
    "gcp:storage/bucket:Bucket": ("labels",),
    "gcp:compute/address:Address": ("labels",),
    "gcp:compute/globalAddress:GlobalAddress": ("labels",),
    "gcp:compute/forwardingRule:ForwardingRule": ("labels",),
    "gcp:compute/globalForwardingRule:GlobalForwardingRule": ("labels",),
}
"""The Google Cloud resources that cost money and take labels, and where they take them."""


def labels(resource: Resource) -> Iterable[Props]:
    """The view of a Google Cloud resource as its labels, its provider's defaults among them."""
    place = _PLACES[resource.type]
    # A provider's default labels go to what bears labels itself, not to the nodes of a pool.
    defaults = _defaults(resource.provider) if len(place) == 1 else {}
    yield {**defaults, **block(resource.props, *place)}


def _defaults(provider: Props) -> Props:
    given = provider.get("defaultLabels")
    # A provider's inputs are texts on the wire: a mapping is written as JSON.
    found = json.loads(given) if isinstance(given, str) and given else given
    return block({"defaultLabels": found}, "defaultLabels")


_LABELLED = gcp(*(type_.removeprefix("gcp:") for type_ in _PLACES))
LABELLED = Selector(_LABELLED.matches, "gcp:storage/bucket:Bucket", _LABELLED.types, labels)
OBJECTS = kubernetes("apps", "Deployment", "StatefulSet", "DaemonSet") | kubernetes(
    "core", "Service"
)

_ALL = {"system": "ml", "environment": "dev", "layer": "serving", "managed-by": "pulumi"}
_ALL_IN_KUBERNETES = {
    "app.kubernetes.io/name": "resnet",
    "app.kubernetes.io/part-of": "ml",
    "app.kubernetes.io/managed-by": "pulumi",
    "environment": "dev",
}


class PlatformLabels(Settings):
    """What the rule goes by, and repairs with."""

    required: Annotated[
        tuple[str, ...], Meta(min_length=1, description="Labels that have to be there.")
    ] = REQUIRED
    values: Annotated[
        dict[str, str], Meta(description="Values for `remediate` to put where a label lacks.")
    ] = field(default_factory=dict)


def _labelled(resource: Resource, given: PlatformLabels) -> Iterator[tuple[Path, str]]:
    """The labels that lack, from the parameters or from what the resource's urn tells."""
    place = _PLACES[resource.type]
    (found,) = labels(resource)
    stack, _, rest = resource.urn.partition("::")
    project = rest.partition("::")[0]
    known = {
        "environment": environment_of(stack.rpartition(":")[2]),
        "layer": project.removeprefix("gke-"),
        "managed-by": "pulumi",
    } | given.values
    for key in given.required:
        if not found.get(key) and known.get(key):
            yield (*place, key), known[key]


@mandatory(
    LABELLED,
    layer="every",
    severity="low",
    why="Costs are split, owners found and leftovers swept by these labels.",
    fix="take the labels from `Labels.google()` (platform:system and platform:labels)",
    references=(google("Labels", "resource-manager/docs/creating-managing-labels"),),
    passing={"labels": _ALL},
    failing={"labels": {"environment": "dev"}},
    repair=_labelled,
)
def resources_bear_the_platform_labels(labels: Props, given: PlatformLabels) -> Iterator[str]:
    """A Google Cloud resource bears the labels that say whose it is."""
    missing = [key for key in given.required if not labels.get(key)]
    if missing:
        yield f"labels lack {', '.join(missing)}"


@mandatory(
    OBJECTS,
    layer="serving",
    severity="low",
    why="Tools and people find what belongs together by the recommended labels.",
    fix="take the labels from `Labels.kubernetes()` (platform:system and platform:labels)",
    references=(
        kubernetes_docs(
            "Recommended labels", "concepts/overview/working-with-objects/common-labels/"
        ),
    ),
    passing={"metadata": {"labels": _ALL_IN_KUBERNETES}},
    failing={"metadata": {"labels": {"app": "resnet"}}},
)
def objects_bear_the_platform_labels(thing: Props) -> Iterator[str]:
    """A workload or Service bears the labels that say whose it is."""
    found = block(thing, "metadata", "labels")
    missing = [key for key in REQUIRED_IN_KUBERNETES if not found.get(key)]
    if missing:
        yield f"metadata.labels lack {', '.join(missing)}"
