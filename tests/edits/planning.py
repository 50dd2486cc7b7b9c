"""Which edits are made together: those of the same layers that exclude each other in nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gkeplatform.layers import CLUSTER, in_order
from tests.edits.edits import Edit, committed, problem
from tests.edits.effects import Effect
from tests.edits.merging import merged, paths

MOST = 24
# They replace the cluster, a pool or what all models use, so each is made by itself.
_ALONE = (
    "gke-cluster:cluster.control_plane",
    "gke-cluster:cluster.zones",
    "gke-cluster:network.",
    "gke-serving:namespace",
    "gke-serving:models[].exposure",
    "gke-serving:models[].team",
    "gke-networking:certificates",
    "gke-networking:domains",
    "gke-networking:dns",
    "gke-networking:iap",
)

Batch = tuple[list[str], list[str]]


def is_alone(name: str) -> bool:
    """Whether the edit is made by itself; named edits are, but those of single models."""
    return name.startswith(_ALONE) or (":" not in name and not name.startswith("a model "))


def batches(edits: Mapping[str, Edit], effects: Mapping[str, Effect]) -> list[Batch]:
    """The edits in groups, each with the layers that it reaches; those alone come first."""
    made: list[Batch] = [([name], _layers(effects[name])) for name in edits if is_alone(name)]
    together: list[Batch] = []
    for name, edit in edits.items():
        if is_alone(name):
            continue
        layers = _layers(effects[name])
        for names, theirs in together:
            # One layer more costs less than a batch more, except the cluster.
            is_near = (CLUSTER.name in theirs) == (CLUSTER.name in layers)
            if is_near and len(names) < MOST and _fits(edit, [edits[n] for n in names]):
                names.append(name)
                theirs[:] = [one.name for one in in_order() if one.name in {*theirs, *layers}]
                break
        else:
            together.append(([name], layers))
    return made + together


def _layers(effect: Effect) -> list[str]:
    return list(effect.layers)


def _fits(edit: Edit, others: Sequence[Edit]) -> bool:
    base = committed(edit.environment)
    mine = paths(base, edit.values)
    for other in others:
        if other.environment != edit.environment:
            return False
        for its in paths(base, other.values):
            if any(its[: len(one)] == one or one[: len(its)] == its for one in mine):
                return False
    return not problem(edit.environment, merged(base, [*others, edit]))
