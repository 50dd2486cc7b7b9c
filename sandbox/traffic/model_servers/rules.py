"""Settings made at run time: rules for the pods that they select, the last one winning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

import msgspec

from sandbox.traffic.model_servers.load import Settings
from sandbox.traffic.model_servers.pods import Pod

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Settings for some pods. What is not set keeps the value that it has without the rule."""

    cluster: str | None = None
    """`project.location.name`; None: of any cluster."""
    namespace: str | None = None
    pod: str | None = None
    """The pod's name."""
    workload: str | None = None
    """The Deployment's name."""
    selector: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Labels that a pod must have."""
    latency: Annotated[float, msgspec.Meta(ge=0, le=3600)] | None = None
    """Seconds."""
    error_rate: Share | None = None
    concurrency: Annotated[int, msgspec.Meta(ge=0)] | None = None
    gauges: Mapping[str, float] | None = None
    """Values of gauges, added to those of earlier rules."""
    failing_paths: frozenset[str] | None = None
    """Paths that answer 503."""

    def selects(self, pod: Pod) -> bool:
        """Whether it is for a pod."""
        return (
            self.cluster in (None, pod.cluster)
            and self.namespace in (None, pod.namespace)
            and self.pod in (None, pod.name)
            and self.workload in (None, pod.workload)
            and self.selector.items() <= pod.labels.items()
        )

    @property
    def target(self) -> tuple[object, ...]:
        """What it selects: a later rule with the same target replaces an earlier one."""
        labels = tuple(sorted(self.selector.items()))
        return self.cluster, self.namespace, self.pod, self.workload, labels


class Rules:
    """The rules in their order."""

    def __init__(self) -> None:
        self.all: list[Rule] = []

    def add(self, rule: Rule) -> None:
        """Add a rule as the last."""
        self.all = [one for one in self.all if one.target != rule.target]
        self.all.append(rule)

    def clear(self) -> None:
        """Drop all rules: the pods' annotations hold again."""
        self.all = []

    def applied(self, pod: Pod) -> Settings:
        """The settings of a pod: its annotations, changed by the rules."""
        settings = pod.settings
        for rule in self.all:
            if not rule.selects(pod):
                continue
            if rule.latency is not None:
                settings = replace(settings, latency=rule.latency)
            if rule.error_rate is not None:
                settings = replace(settings, error_rate=rule.error_rate)
            if rule.concurrency is not None:
                settings = replace(settings, concurrency=rule.concurrency)
            if rule.gauges is not None:
                settings = replace(settings, gauges={**settings.gauges, **rule.gauges})
            if rule.failing_paths is not None:
                settings = replace(settings, failing_paths=rule.failing_paths)
        return settings
