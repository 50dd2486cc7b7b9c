"""Hubs."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from typing import Any

from sandbox.gcp.collections import Collection, Messages
from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import failed_precondition, invalid_argument
from sandbox.gcp.long_operations import Operations
from sandbox.gcp.service import Call, State

PREFIX = "networkconnectivity"
OPERATIONS = Operations(PREFIX, "google.cloud.networkconnectivity.v1")
COMMON: dict[str, Any] = {
    "service": PREFIX,
    "messages": Messages(
        bad_id="Invalid {parameter}: {id!r}.",
        immutable="Field {field!r} of a {noun} is immutable.",
    ),
    "id_pattern": re.compile(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?"),
    "stamps": ("createTime", "updateTime"),
    "without_mask": "given",
}
_TOPOLOGIES = ("MESH", "STAR", "HYBRID_INSPECTION")


def _complete(_: Call, hub: Json, old: Json | None) -> None:
    hub.setdefault("policyMode", "PRESET")
    hub.setdefault("presetTopology", _TOPOLOGIES[0])
    if hub["presetTopology"] not in _TOPOLOGIES:
        raise invalid_argument(f"Invalid preset_topology {hub['presetTopology']}.")
    hub["routeTables"] = [f"{hub['name']}/routeTables/default"]
    hub["state"] = "ACTIVE"
    hub["uniqueId"] = (old or {}).get("uniqueId") or str(uuid.uuid4())


def _refuse_used(call: Call, hub: Json) -> None:
    spoke = next(_spokes(call.state, hub["name"]), None)
    if spoke is not None:
        raise failed_precondition(
            f"Resource '{hub['name']}' cannot be deleted: it is used by spoke '{spoke}'."
        )


def _spokes(state: State, hub: str) -> Iterator[str]:
    project = "/".join(hub.split("/")[:2])
    for key, body in state.store.below(f"{PREFIX}/{project}"):
        if "/spokes/" in key and body.get("hub") == hub:
            yield str(body["name"])


HUBS = Collection(
    path="projects.locations.global.hubs",
    noun="hub",
    id_parameter="hubId",
    iam=True,
    mutable=frozenset({"description", "labels", "exportPsc"}),
    complete=_complete,
    before_delete=_refuse_used,
    answer=OPERATIONS.answers("Hub"),
    **COMMON,
)
