"""The Prometheus API of Managed Service: instant queries of what the clusters' pods report.

PromQL is a language of its own; this answers `sum(name{label="value",…})`, `avg`, `min`, `max` and
a selector alone, with the matchers = and !=. Any other query is answered with 501.
"""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from sandbox.gcp import workload_identity
from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError
from sandbox.gcp.service import Call, Raw
from sandbox.gcp.services.monitoring.metrics import METRICS

_AGGREGATIONS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "sum": sum,
    "min": min,
    "max": max,
    "avg": statistics.fmean,
}
_QUERY = re.compile(r"\s*(?:(sum|avg|min|max)\s*\(\s*(.*?)\s*\)|(.*?))\s*", re.DOTALL)
_SELECTOR = re.compile(r"([A-Za-z_:][A-Za-z0-9_:]*)\s*(?:\{(.*)\})?", re.DOTALL)
_MATCHER = re.compile(r'\s*([A-Za-z_][A-Za-z0-9_]*)\s*(=|!=)\s*"((?:[^"\\]|\\.)*)"\s*(?:,|$)')
_ROLES = {
    "roles/monitoring.viewer",
    "roles/monitoring.editor",
    "roles/monitoring.admin",
    "roles/viewer",
    "roles/editor",
    "roles/owner",
}


async def query(call: Call) -> Raw:
    """Answer an instant query, as Prometheus does."""
    project = call.path["projectsId"]
    workload_identity.require(
        call.state,
        call.headers.get("authorization", ""),
        project,
        _ROLES,
        "monitoring.timeSeries.list",
    )
    text = call.one("query") or call.body.get("query", "")
    function, name, matchers = parse(text)
    _refuse_ambiguous(name, matchers)
    samples = await call.state.control_planes.samples(project) if call.state.control_planes else []
    series = [
        (labels, sample.value)
        for sample in samples
        if _promql_name(sample.name) == name
        and matches(labels := _labels(sample.name, sample.labels, project), matchers)
    ]
    now = time.time()
    if function is None:
        result: list[Json] = [
            {"metric": {"__name__": name, **labels}, "value": [now, _text(value)]}
            for labels, value in series
        ]
    else:
        values = [value for _, value in series]
        # Like Prometheus: the aggregate of nothing is nothing, not 0.
        total = _AGGREGATIONS[function](values) if values else None
        result = [] if total is None else [{"metric": {}, "value": [now, _text(total)]}]
    body: Json = {"status": "success", "data": {"resultType": "vector", "result": result}}
    return Raw(msgspec.json.encode(body), 200, "application/json")


def parse(text: str) -> tuple[str | None, str, list[tuple[str, str, str]]]:
    """The aggregation, the metric's name and the matchers. Raises ApiError 400 or 501."""
    if not text.strip():
        raise ApiError(400, 'invalid parameter "query": parse error: no expression found in input')
    outer = _QUERY.fullmatch(text)
    inner = _SELECTOR.fullmatch(outer[2] or outer[3] or "") if outer else None
    if outer is None or inner is None:
        raise ApiError(501, f"sandbox does not emulate the PromQL query {text}")
    rest, matchers = (inner[2] or "").strip(), []
    while rest:
        found = _MATCHER.match(rest)
        if found is None:
            raise ApiError(501, f"sandbox does not emulate the PromQL matcher {rest}")
        value = re.sub(r"\\(.)", r"\1", found[3])
        matchers.append((found[1], found[2], value))
        rest = rest[found.end() :]
    return outer[1], inner[1], matchers


def matches(labels: Mapping[str, str], matchers: Iterable[tuple[str, str, str]]) -> bool:
    """Whether labels meet all matchers; a missing label is empty."""
    return all(
        (labels.get(label, "") == value) == (operator == "=") for label, operator, value in matchers
    )


def _labels(name: str, labels: Mapping[str, str], project: str) -> dict[str, str]:
    """A sample's labels as PromQL has them."""
    if "/" not in name:
        return dict(labels)
    known = METRICS.get(name)
    found = {"project_id": project}
    if known and len(known.resources) == 1:
        found["monitored_resource"] = next(iter(known.resources))
    for key, value in sorted(labels.items(), reverse=True):  # resource.* before metric.*
        label = key.rpartition(".")[2]
        if key == "resource.type":
            label = "monitored_resource"
        elif key.startswith("metric.") and label in found:
            label = f"metric_{label}"
        found[label] = value
    return found


def _promql_name(name: str) -> str:
    """The PromQL name of a metric: of a metric type, the first slash becomes a colon."""
    if "/" not in name:
        return name
    service, _, path = name.partition("/")
    return ":".join(re.sub(r"[^A-Za-z0-9_]", "_", part) for part in (service, path))


def _refuse_ambiguous(name: str, matchers: Iterable[tuple[str, str, str]]) -> None:
    """Google asks for the resource's type if a metric has several."""
    if any(label == "monitored_resource" for label, _, _ in matchers):
        return
    for metric_type, metric in METRICS.items():
        if len(metric.resources) > 1 and _promql_name(metric_type) == name:
            raise ApiError(
                400,
                f'metric "{metric_type}" is associated with multiple monitored resource types; '
                'add a matcher on the "monitored_resource" label',
            )


def _text(value: Any) -> str:
    return f"{value:.15g}"
