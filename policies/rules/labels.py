"""Rules about the platform's labels on Google Cloud resources and Kubernetes objects."""

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

_LABEL_PATHS: dict[str, tuple[str, ...]] = {
    "gcp:container/cluster:Cluster": ("resourceLabels",),
    "gcp:container/nodePool:NodePool": ("nodeConfig", "resourceLabels"),
    "gcp:storage/bucket:Bucket": ("labels",),
    "gcp:compute/address:Address": ("labels",),
    "gcp:compute/globalAddress:GlobalAddress": ("labels",),
    "gcp:compute/forwardingRule:ForwardingRule": ("labels",),
    "gcp:compute/globalForwardingRule:GlobalForwardingRule": ("labels",),
}
"""Billed Google Cloud resources with labels, and the path of their labels."""


def labels(resource: Resource) -> Iterable[Props]:
    """View a Google Cloud resource as its labels, including the provider's default labels."""
    path = _LABEL_PATHS[resource.type]
    # Default labels apply to the resource itself, not to the nodes of a pool.
    defaults = _defaults(resource.provider) if len(path) == 1 else {}
    yield {**defaults, **block(resource.props, *path)}


def _defaults(provider: Props) -> Props:
    given = provider.get("defaultLabels")
    # Provider inputs are strings in the wire format; mappings are JSON.
    found = json.loads(given) if isinstance(given, str) and given else given
    return block({"defaultLabels": found}, "defaultLabels")


_LABELLED = gcp(*(type_.removeprefix("gcp:") for type_ in _LABEL_PATHS))
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
    """Required labels, and values for the repair."""

    required: Annotated[tuple[str, ...], Meta(min_length=1, description="Required labels.")] = (
        REQUIRED
    )
    values: Annotated[
        dict[str, str], Meta(description="Values that `remediate` sets for missing labels.")
    ] = field(default_factory=dict)


def _missing_labels(resource: Resource, given: PlatformLabels) -> Iterator[tuple[Path, str]]:
    """Yield the missing labels, with values from the parameters or the resource's URN."""
    path = _LABEL_PATHS[resource.type]
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
            yield (*path, key), known[key]


@mandatory(
    LABELLED,
    layer="every",
    severity="low",
    why="Cost reports, ownership and the cleanup of leftovers depend on these labels.",
    fix="use the labels from `Labels.google()` (platform:system and platform:labels)",
    references=(google("Labels", "resource-manager/docs/creating-managing-labels"),),
    passing={"labels": _ALL},
    failing={"labels": {"environment": "dev"}},
    repair=_missing_labels,
)
def resources_bear_the_platform_labels(labels: Props, given: PlatformLabels) -> Iterator[str]:
    """A Google Cloud resource has the platform's labels."""
    missing = [key for key in given.required if not labels.get(key)]
    if missing:
        yield f"missing labels: {', '.join(missing)}"


@mandatory(
    OBJECTS,
    layer="serving",
    severity="low",
    why="Tools and people group objects by the recommended labels.",
    fix="use the labels from `Labels.kubernetes()` (platform:system and platform:labels)",
    references=(
        kubernetes_docs(
            "Recommended labels", "concepts/overview/working-with-objects/common-labels/"
        ),
    ),
    passing={"metadata": {"labels": _ALL_IN_KUBERNETES}},
    failing={"metadata": {"labels": {"app": "resnet"}}},
)
def objects_bear_the_platform_labels(thing: Props) -> Iterator[str]:
    """A workload or Service has the recommended labels."""
    found = block(thing, "metadata", "labels")
    missing = [key for key in REQUIRED_IN_KUBERNETES if not found.get(key)]
    if missing:
        yield f"missing in metadata.labels: {', '.join(missing)}"
