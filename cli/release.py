"""Finds the resources that `platform:released` releases from protection in a layer's state."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import yaml

from cli.environments import ROOT
from gkeplatform.environment import NAMESPACE, file_of
from gkeplatform.protection import named


def released(environment: str) -> frozenset[str]:
    """`platform:released` of an environment's file; empty for a file that cannot be read."""
    try:
        document = yaml.safe_load((ROOT / file_of(environment)).read_text(encoding="utf-8"))
        names = document["config"].get(f"{NAMESPACE}:released") or ()
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError):
        return frozenset()  # the layers' programs report what is wrong with it
    return frozenset(name for name in names if isinstance(name, str))


def protected(export: Mapping[str, Any], names: Collection[str]) -> Iterator[str]:
    """The URNs of a stack's export that are protected and have one of the names."""
    for resource in (export.get("deployment") or {}).get("resources") or ():
        urn = str(resource.get("urn", ""))
        if (
            resource.get("protect")
            and named(str(resource.get("type")), urn.rsplit("::", maxsplit=1)[-1]) in names
        ):
            yield urn
