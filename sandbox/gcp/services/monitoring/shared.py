"""What the collections of Cloud Monitoring share: ids, projects, pruning of default values."""

from __future__ import annotations

import secrets
from typing import Any

from sandbox.gcp.collections import Messages
from sandbox.gcp.discovery import Json
from sandbox.gcp.service import Call, State
from sandbox.gcp.services import cloudresourcemanager

HIDDEN = "******"
_PRESENCE = frozenset({"enabled"})
"""Booleans that the API shows when they are false: `google.protobuf.BoolValue`."""
_MAP_FIELDS = frozenset({"userLabels", "labels", "headers"})


def pruned(document: Json) -> Json:
    """A document without fields at their default, as the API shows it; empty messages stay."""
    shown: Json = _pruned(document)
    return shown


def _pruned(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {
            name: _pruned(item, name)
            for name, item in value.items()
            if key in _MAP_FIELDS
            or isinstance(item, dict)
            or item not in (None, False, 0, "", [])
            or (name in _PRESENCE and item is False)
        }
    if isinstance(value, list):
        return [_pruned(item) for item in value]
    return value


def show_pruned(_: State, document: Json) -> Json:
    """A document as most collections show it."""
    return pruned(document)


def number(_: Call | None = None) -> str:
    """An id as Cloud Monitoring makes most of them."""
    return str(10**18 + secrets.randbelow(9 * 10**18))


def _ensure_project(call: Call) -> None:
    cloudresourcemanager.ensure(call.state, call.path.get("projectsId") or call.path["v3Id1"])


def common(missing: str, **messages: str) -> dict[str, Any]:
    """The fields that all `Collection`s of this service have in common."""
    return {
        "service": "monitoring",
        "messages": Messages(
            missing=missing,
            exists="{name} already exists.",
            bad_id='Invalid id "{id}".',
            **messages,
        ),
        "before_create": _ensure_project,
        "without_mask": "replace",
        "has_labels": False,
        "total_size": True,
    }
