"""Finds the resources that `platform:released` releases from protection in a layer's state."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from cli.environments import ROOT
from gkeplatform import stack_values
from gkeplatform.environment import NAMESPACE
from gkeplatform.errors import PlatformError
from gkeplatform.protection import named


def protects(environment: str) -> bool:
    """`platform:protect` of an environment's file; False for a file that cannot be read."""
    try:
        return stack_values.read(environment, root=ROOT).get(f"{NAMESPACE}:protect") == "true"
    except PlatformError:
        return False


def released(environment: str) -> frozenset[str]:
    """`platform:released` of an environment's file; empty for a file that cannot be read."""
    try:
        values = stack_values.read(environment, root=ROOT)
        names = json.loads(values.get(f"{NAMESPACE}:released", "[]"))
    except (PlatformError, ValueError):
        return frozenset()
    return frozenset(name for name in names or () if isinstance(name, str))


def protected(export: Mapping[str, Any], names: Collection[str]) -> Iterator[str]:
    """The URNs of a stack's export that are protected and have one of the names."""
    for resource in (export.get("deployment") or {}).get("resources") or ():
        urn = str(resource.get("urn", ""))
        if (
            resource.get("protect")
            and named(str(resource.get("type")), urn.rsplit("::", maxsplit=1)[-1]) in names
        ):
            yield urn
