"""What a stack holds, as far as the next update depends on it: from its exported state."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cli import urns
from cli.interruption import UNREAD

_STACK = "pulumi:pulumi:Stack"


@dataclass(frozen=True, slots=True)
class StackState:
    """A stack's resources and outputs, as digests; those of secrets are of their ciphertext."""

    resources: str
    outputs: str
    is_settled: bool = True
    """Whether no operation was interrupted in it."""
    count: int = 0
    """The number of resources, as the engine counts them."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """The outputs; a secret one is as the state has it, encrypted."""


def of_document(document: Any) -> StackState | None:
    """The state in a document of `pulumi stack export` or of a file backend; None for no stack."""
    if not isinstance(document, dict):
        return None
    held = (document.get("checkpoint") or {}).get("latest") or document.get("deployment") or {}
    resources = held.get("resources") or []
    top = next((one for one in resources if one["type"] == _STACK and not one.get("delete")), None)
    if top is None:
        return None
    text = json.dumps(resources, sort_keys=True)
    values = top.get("outputs") or {}
    return StackState(
        resources=_digest(text),
        outputs=_digest(json.dumps(values, sort_keys=True)),
        is_settled=not held.get("pending_operations") and UNREAD not in text,
        count=sum(not _is_default_provider(one) for one in resources),
        values=values,
    )


def _is_default_provider(resource: Mapping[str, Any]) -> bool:
    """The engine makes these itself, and does not count them."""
    name = urns.name(str(resource.get("urn", "")))
    is_provider = resource["type"].startswith("pulumi:providers:")
    return is_provider and (name == "default" or name.startswith("default_"))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
