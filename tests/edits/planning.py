"""Which edits are made together: those that exclude each other in nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tests.edits.edits import Edit, committed, problem
from tests.edits.merging import merged, paths

MOST, MOST_NAMED = 60, 12
"""Edits in a batch: a batch of named edits fails more often, and is halved then."""
# They replace the cluster, move what all models use, or protect what others take back.
_ALONE = (
    "platform:protect",
    "gke-cluster:cluster.control_plane",
    "gke-cluster:cluster.dataplane",
    "gke-cluster:network.",
    "gke-serving:namespace",
    "the control plane's range",
    "a zonal control plane",
    "without HTTPS",
)
# They interrupt requests by what they say, or may: nobody else's edit is to bear that.
_INTERRUPTING = (
    "gke-networking:certificates",
    "gke-networking:dns.",
    "gke-serving:models[].exposure(http-load-balancer).backend",
    "gke-serving:models[].exposure(http-load-balancer).node_port",
    "a domain added",
    "a model from instance groups",
    "a model to instance groups",
    "a model on a node port to a team",
    "a model to another node port",
    "other ports behind a node port",
    "without DNS",
)


def is_alone(name: str) -> bool:
    """Whether the edit is made by itself."""
    return name.startswith((*_ALONE, *_INTERRUPTING))


def batches(edits: Mapping[str, Edit]) -> list[list[str]]:
    """The edits in groups; those alone come last. The checks accept each group as a file."""
    alone = [[name] for name in edits if is_alone(name)]
    together: list[tuple[list[str], set[tuple[str, ...]]]] = []
    for name, edit in edits.items():
        if is_alone(name):
            continue
        mine = paths(committed(edit.environment), edit.values)
        for names, taken in together:
            if len(names) >= _most(names[0]) or _most(names[0]) != _most(name):
                continue
            if _overlap(mine, taken):
                continue
            others = [edits[one] for one in names]
            if _is_accepted([*others, edit]):
                names.append(name)
                taken.update(mine)
                break
        else:
            together.append(([name], mine))
    return [names for names, _ in together] + alone


def _most(name: str) -> int:
    return MOST if ":" in name else MOST_NAMED


def _overlap(mine: Iterable[tuple[str, ...]], theirs: Iterable[tuple[str, ...]]) -> bool:
    theirs = list(theirs)
    return any(
        one[: len(other)] == other or other[: len(one)] == one for one in mine for other in theirs
    )


def _is_accepted(edits: list[Edit]) -> bool:
    base = committed(edits[0].environment)
    if any(edit.environment != edits[0].environment for edit in edits):
        return False
    return not problem(edits[0].environment, merged(base, edits))
