"""Finds the objects of a replaced cluster in a layer's exported state. Pure functions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from gkeplatform.contracts import SecretText

_PROVIDER = "pulumi:providers:kubernetes"


def is_left(export: dict[str, Any], kubeconfig: str) -> bool:
    """Whether the state holds a provider of another cluster than that of `kubeconfig`.

    `export` shows its secrets. The engine keeps a provider as long as any of its objects: those of
    a deployment that ended before it had deleted them too.
    """
    present = SecretText(kubeconfig).authority_digest()
    found = {SecretText(text).authority_digest() for text in _kubeconfigs(export)}
    return bool(present) and bool(found - {present, ""})


def _kubeconfigs(export: dict[str, Any]) -> Iterator[str]:
    for resource in export["deployment"].get("resources") or []:
        if resource["type"] == _PROVIDER:
            given = (resource.get("inputs") or {}).get("kubeconfig") or ""
            yield given if isinstance(given, str) else json.loads(given.get("plaintext") or '""')
