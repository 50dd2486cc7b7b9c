"""Everything that a rehearsal leaves: in Google Cloud, in the cluster, and in the states."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.rehearsal.workspace import PROJECTS, Workspace

# A digest of what differs between two sandboxes, such as the cluster's id.
_DIGEST = re.compile(r"(?<![0-9a-z])a?(?:[0-9a-f]{32}|[0-9a-f]{31}|[0-9a-f]{8})(?![0-9a-z])")
# What controllers make and remove as time passes, and what counts events.
_PASSING = frozenset(
    {"Event", "Lease", "Pod", "EndpointSlice", "NodeMetrics", "PodMetrics", "IPAddress"}
)
_SUFFIX = re.compile(r"-[0-9a-z]{4}$")


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything that there is; names that are random are the same in each."""

    google: Counter[str]
    objects: Counter[str]
    states: Counter[str]

    def differences(self, expected: Inventory) -> list[str]:
        """What is there too much and too little."""
        return [
            f"{sign}{count} {what}"
            for mine, other in zip(_parts(self), _parts(expected), strict=True)
            for sign, one in (("+", mine - other), ("-", other - mine))
            for what, count in sorted(one.items())
        ]


def _parts(inventory: Inventory) -> Sequence[Counter[str]]:
    return inventory.google, inventory.objects, inventory.states


def inventory(workspace: Workspace) -> Inventory:
    """Everything in the emulated Google Cloud, in the cluster of dev, and in the states."""
    states = {layer: workspace.state(layer) for layer in PROJECTS}
    drawn = sorted(set(_random(states)), key=len, reverse=True)

    def plain(text: str) -> str:
        for one in drawn:
            text = text.replace(one, "<random>")
        return text

    return Inventory(
        google=Counter(plain(one) for one in _google(workspace)),
        objects=Counter(plain(one) for one in _objects(workspace)),
        states=Counter(one for layer, state in states.items() for one in _state(layer, state)),
    )


def _random(states: Mapping[str, Any]) -> Iterator[str]:
    for state in states.values():
        for one in state.get("resources") or ():
            if one["type"].startswith("random:"):
                values = one.get("outputs", {})
                yield from (v for k in ("hex", "result") if isinstance(v := values.get(k), str))


def _google(workspace: Workspace) -> Iterator[str]:
    """Collection and name; the display name where Google chooses the name."""
    file = workspace.home / "gcp" / "state.sqlite"
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        rows = database.execute("SELECT key, body FROM documents").fetchall()
    for key, body in rows:
        collection, _, name = key.rpartition("/")
        if collection.endswith(("/operations", "/changes")) or key.startswith("compute-endpoints/"):
            continue
        if key.startswith(("monitoring/", "billingbudgets/")):
            name = json.loads(body).get("displayName") or name
        yield _DIGEST.sub("<digest>", f"{collection}/{name}")


def _objects(workspace: Workspace) -> Iterator[str]:
    """Kind, namespace and name of what does not pass by itself."""
    kinds = workspace.kubectl("api-resources", "--verbs=list", "-o", "name").split()
    wanted = ",".join(kind for kind in kinds if kind.split(".")[0] not in ("events", "leases"))
    for one in workspace.kubernetes(wanted, "-A")["items"]:
        metadata = one["metadata"]
        if one["kind"] in _PASSING:
            continue
        name = metadata["name"]
        if one["kind"] == "Node":
            name = _SUFFIX.sub("", _DIGEST.sub("<digest>", name))
        yield f"{one['kind']} {metadata.get('namespace', '')}/{name}"


def _state(layer: str, state: Mapping[str, Any]) -> Iterator[str]:
    for one in state.get("resources") or ():
        marks = [mark for mark in ("delete", "pendingReplacement", "external") if one.get(mark)]
        yield " ".join([layer, one["urn"], *marks])
    for one in state.get("pending_operations") or ():
        yield f"{layer} {one['resource']['urn']} is noted as {one['type']}"


def twice(found: Inventory) -> list[str]:
    """What is there more than once, of what has a name that is not drawn."""
    counts = (one for part in _parts(found) for one in part.items())
    return [what for what, count in counts if count > 1 and "<digest>" not in what]
