"""What the load balancer measures of each model: the queries, and what they answered.

The series are those that objectives and alerts read (`infra.environment.objectives`), in PromQL:
https://cloud.google.com/monitoring/promql/promql-mapping. Models that another front end routes, or
none, are not measured by it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from infra.environment.objectives import LATENCIES, REQUESTS

Series = tuple[Mapping[str, str], float]
"""Labels, and the value now."""
Asked = Mapping[tuple[str, str], Sequence[tuple[tuple[str, ...], int]]]
"""By the namespace and name of a version: adapters with requests, and how many pods have these."""
DURATIONS = "loadbalancing.googleapis.com/https/total_latencies"
"""From the first byte of a request to the last byte of its answer, whatever its status."""
BACKEND, MODEL = "backend_target_name", "model"
_FAILED, _SUCCEEDED = 'response_code_class="500"', 'response_code_class="200"'
_QUANTILES = {"p50": 0.5, "p99": 0.99}
_AT_ONCE = 50
"""Models in one query, which is a line for each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """The requests of a backend service, or of all of a model's, in the last seconds."""

    rate: float = 0
    """Requests a second, with those that failed."""
    errors: float = 0
    """Answers with a 5xx a second."""
    in_flight: float = 0
    """Requests under way at once, on average."""
    p50: float | None = None
    p99: float | None = None
    """Milliseconds until the backend's answer, of those that succeeded; None without any."""

    @property
    def error_share(self) -> float:
        """The part of the requests that failed, from 0 to 1."""
        return self.errors / self.rate if self.rate else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The traffic of an environment."""

    seconds: int = 0
    """How far back it was measured."""
    backends: Mapping[str, Traffic] = field(default_factory=dict)
    models: Mapping[str, Traffic] = field(default_factory=dict)
    """The quantiles of models with several backend services; their sums are the backends'."""
    adapters: Asked = field(default_factory=dict)
    """The LoRA adapters that pods have requests for."""

    def backend(self, name: str) -> Traffic:
        """That of a backend service; one without series had no requests."""
        return self.backends.get(name, Traffic())

    def model(self, name: str, backends: Sequence[str]) -> Traffic:
        """That of a model with these backend services."""
        parts = [self.backend(one) for one in backends]
        if len(parts) == 1:
            return parts[0]
        both = self.models.get(name, Traffic())
        return Traffic(
            rate=sum(one.rate for one in parts),
            errors=sum(one.errors for one in parts),
            in_flight=sum(one.in_flight for one in parts),
            p50=both.p50,
            p99=both.p99,
        )


def queries(
    prefix: str, seconds: int, several: Mapping[str, Sequence[str]]
) -> list[tuple[str, str]]:
    """Each figure's name with its PromQL; `several` are backend services of models with many."""
    every = f'monitored_resource="https_lb_rule",{BACKEND}=~"{_pattern(prefix)}.*"'
    found = [
        ("rate", f"sum by ({BACKEND}) ({_rate(_name(REQUESTS), every, seconds)})"),
        ("errors", f"sum by ({BACKEND}) ({_rate(_name(REQUESTS), f'{every},{_FAILED}', seconds)})"),
        (
            "in_flight",
            f"sum by ({BACKEND}) ({_rate(_name(DURATIONS) + '_sum', every, seconds)}) / 1000",
        ),
        *((name, _quantile(share, every, seconds, BACKEND)) for name, share in _QUANTILES.items()),
    ]
    models = list(several.items())
    for start in range(0, len(models), _AT_ONCE):
        for name, share in _QUANTILES.items():
            each = (
                _of_model(model, backends, share, seconds)
                for model, backends in models[start : start + _AT_ONCE]
            )
            found.append((name, " or ".join(each)))
    return found


def measured(seconds: int, answers: Iterable[tuple[str, Iterable[Series]]]) -> Measured:
    """The traffic by what the queries answered: each figure's name with its series."""
    backends: dict[str, dict[str, float]] = {}
    models: dict[str, dict[str, float]] = {}
    for name, series in answers:
        for labels, value in series:
            if math.isfinite(value):  # a quantile of no requests is not a number
                at = models if MODEL in labels else backends
                key = labels.get(MODEL) or labels.get(BACKEND, "")
                at.setdefault(key, {})[name] = round(value, 4)
    return Measured(
        seconds=seconds,
        backends={name: Traffic(**figures) for name, figures in backends.items()},
        models={name: Traffic(**figures) for name, figures in models.items()},
    )


def _of_model(model: str, backends: Sequence[str], share: float, seconds: int) -> str:
    pattern = "|".join(map(_pattern, backends))
    within = f'monitored_resource="https_lb_rule",{BACKEND}=~"{pattern}"'
    return f'label_replace({_quantile(share, within, seconds)}, "{MODEL}", "{model}", "", "")'


def _quantile(share: float, matchers: str, seconds: int, *by: str) -> str:
    buckets = _rate(f"{_name(LATENCIES)}_bucket", f"{matchers},{_SUCCEEDED}", seconds)
    return f"histogram_quantile({share:g}, sum by ({', '.join(['le', *by])}) ({buckets}))"


def _rate(name: str, matchers: str, seconds: int) -> str:
    return f"rate({name}{{{matchers}}}[{seconds}s])"


def _name(metric_type: str) -> str:
    """The PromQL name of a metric type: its first slash becomes a colon."""
    service, _, path = metric_type.partition("/")
    return ":".join(re.sub(r"\W", "_", part, flags=re.ASCII) for part in (service, path))


def _pattern(text: str) -> str:
    """A regular expression for the text, within quotes."""
    return re.escape(text).replace(r"\-", "-").replace("\\", "\\\\")
