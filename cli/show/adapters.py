"""The LoRA adapters that models have requests for: the query, and what it answered.

The series is vLLM's own, which the dashboards read too (`infra.environment.language_models`). It
names an adapter alike whether its requests run or wait, so that nothing here tells these apart.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from cli.show.traffic import Asked, Series
from infra.environment.language_models import adapter_queries

_BY = ("namespace", "job")
"""The labels of a version: its metrics' job is its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """An adapter of a model."""

    name: str
    pods: int
    """Pods that have requests for it, which run or wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapters:
    """The adapters of a model, in all its versions."""

    fit: int
    """Adapters that fit into a pod's batch."""
    listed: tuple[Adapter, ...]
    """Those of its entry, by name, then others that servers still have."""
    crowded: int
    """Pods with requests for more adapters than fit: some wait."""


def query(cluster: str, location: str) -> str:
    """PromQL: how many pods of each version have requests for the same adapters."""
    every = adapter_queries.newest(f'{{cluster="{cluster}",location="{location}"}}')
    return f"count by ({', '.join(_BY)}, {adapter_queries.NAMES}) ({every})"


def asked(series: Iterable[Series]) -> Asked:
    """What the query answered."""
    found: dict[tuple[str, str], list[tuple[tuple[str, ...], int]]] = {}
    for labels, value in series:
        if math.isfinite(value):
            names = tuple(filter(None, labels.get(adapter_queries.NAMES, "").split(",")))
            namespace, job = (labels.get(one, "") for one in _BY)
            found.setdefault((namespace, job), []).append((names, round(value)))
    return found


def of_model(
    asked: Asked, versions: Iterable[tuple[str, str]], *, names: Iterable[str], fit: int
) -> Adapters:
    """Those of a model with these versions, which lists the adapters `names`."""
    pods: Counter[str] = Counter()
    crowded = 0
    for version in versions:
        for together, count in asked.get(version, ()):
            pods.update(dict.fromkeys(together, count))
            crowded += count if len(together) > fit else 0
    own = sorted(names)
    every = (*own, *sorted(pods.keys() - set(own)))
    return Adapters(
        fit=fit,
        listed=tuple(Adapter(name=name, pods=pods[name]) for name in every),
        crowded=crowded,
    )


def text(adapters: Adapters) -> str:
    """Which have requests, and at how many pods: `support 2, sql 1`."""
    busy = [f"{one.name} {one.pods}" for one in adapters.listed if one.pods]
    return ", ".join(busy) or "none"
