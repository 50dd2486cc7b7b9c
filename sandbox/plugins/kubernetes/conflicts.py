"""Field conflicts: which manager owns a field, and whether the program may take it over.

A change outside Pulumi makes its author the field's manager. The program takes back fields that it
set before; a field that it never set needs `pulumi.com/patchForce`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from sandbox.plugins.kubernetes.client import ApiError

Json = dict[str, Any]
_OWNER = re.compile(r'conflict with "([^"]+)"')
_SELECTOR = re.compile(r"\[([^\]]*)\]")
# The controllers of Kubernetes itself, autoscalers among them: to take a field from one is to
# fight with it at every update.
_CONTROLLERS = frozenset({"kube-controller-manager"})


@dataclass(frozen=True, slots=True)
class Conflict:
    """One field and its manager."""

    field: str
    """As the API server writes it: `.spec.template.spec.containers[name="app"].image`."""
    owner: str

    def __str__(self) -> str:
        return f"{self.field} belongs to {self.owner}"


def of(error: ApiError) -> list[Conflict]:
    """The conflicts in the error of an apply; empty for other errors."""
    if error.code != 409 or error.reason != "Conflict":
        return []
    return [
        Conflict(str(cause.get("field")), found[1])
        for cause in error.details.get("causes") or []
        if (found := _OWNER.search(str(cause.get("message", ""))))
    ]


def are_ours(conflicts: list[Conflict], before: Json) -> bool:
    """Whether the program set all these fields before, and no controller manages them now."""
    return bool(conflicts) and all(
        conflict.owner not in _CONTROLLERS and _has(before, conflict.field)
        for conflict in conflicts
    )


def advice(conflicts: list[Conflict]) -> str:
    """The problem and the remedy, in one line."""
    named = ", ".join(str(conflict) for conflict in conflicts)
    if any(conflict.owner in _CONTROLLERS for conflict in conflicts):
        return (
            f"{named}; leave it out of the program (a Deployment with an autoscaler sets no "
            "replicas), or name it in ignoreChanges"
        )
    return f'{named}; leave it out, or take it with the annotation pulumi.com/patchForce: "true"'


def _has(value: Any, field: str) -> bool:
    """Whether a document has a field. Keys may hold dots, so that keys lead, not the text."""
    if not field:
        return True
    if isinstance(value, dict):
        return any(
            field.startswith(f".{key}")
            and field[len(key) + 1 : len(key) + 2] in {"", ".", "["}
            and _has(item, field[len(key) + 1 :])
            for key, item in value.items()
        )
    found = _SELECTOR.match(field)
    if isinstance(value, list) and found:
        return any(_picks(found[1], item) and _has(item, field[found.end() :]) for item in value)
    return False


def _picks(selector: str, item: Any) -> bool:
    """Whether `name="app"`, `containerPort=80,protocol="TCP"` or `="value"` means the item."""
    if selector.startswith("="):
        return str(item) == selector[1:].strip('"')
    pairs = [pair.partition("=") for pair in selector.split(",")]
    # The server fills keys in that the program left out, such as a port's protocol.
    return isinstance(item, dict) and all(
        key not in item or str(item[key]) == value.strip('"') for key, _, value in pairs
    )
