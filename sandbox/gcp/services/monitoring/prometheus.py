"""The Prometheus API of Managed Service: a real Prometheus, behind Google's rights and rules."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sandbox.engine import EngineError
from sandbox.gcp import workload_identity
from sandbox.gcp.errors import ApiError
from sandbox.gcp.service import Call, Handler, Raw
from sandbox.gcp.services.monitoring.metrics import METRICS
from sandbox.gcp.services.monitoring.time_series import promql_name
from sandbox.traffic.metrics.prometheus import PrometheusError

_ROLES = {
    "roles/monitoring.viewer",
    "roles/monitoring.editor",
    "roles/monitoring.admin",
    "roles/viewer",
    "roles/editor",
    "roles/owner",
}
_AMBIGUOUS: Mapping[str, str] = {
    promql_name(name): name for name, metric in METRICS.items() if len(metric.resources) > 1
}
"""Metric types that several monitored resources have, by PromQL name."""
_SELECTOR = r"(?<![A-Za-z0-9_:]){}(?![A-Za-z0-9_:])\s*(\{{[^}}]*\}})?"


def _handler(path: str) -> Handler:
    async def ask(call: Call) -> Raw:
        project = call.path["projectsId"]
        workload_identity.require(
            call.state,
            call.headers.get("authorization", ""),
            project,
            _ROLES,
            "monitoring.timeSeries.list",
        )
        parameters = {key: value for key, value in call.body.items() if value not in (None, "")}
        parameters |= {key: values for key, values in call.query.items() if key != "alt"}
        for text in _texts(parameters.get("query")):
            _refuse_ambiguous(text)
        planes = call.state.control_planes
        if planes is None:
            raise ApiError(501, "this sandbox has no clusters, and so no Prometheus")
        try:
            status, content = await planes.metrics.ask(project, path, parameters)
        except (EngineError, PrometheusError, OSError) as error:
            raise ApiError(503, f"the sandbox's Prometheus: {error}") from error
        return Raw(content, status, "application/json")

    return ask


def _texts(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else [str(value or "")]


def _refuse_ambiguous(query: str) -> None:
    """Google asks for the resource's type if a metric has several."""
    for name, metric_type in _AMBIGUOUS.items():
        for found in re.finditer(_SELECTOR.format(re.escape(name)), query):
            if "monitored_resource" not in (found[1] or ""):
                raise ApiError(
                    400,
                    f'metric "{metric_type}" is associated with multiple monitored resource '
                    'types; add a matcher on the "monitored_resource" label',
                )


_PREFIX = "monitoring.projects.location.prometheus.api.v1"
HANDLERS: Mapping[str, Handler] = {
    f"{_PREFIX}.{method}": _handler(f"api/v1/{method}")
    for method in ("labels", "query", "query_range", "query_exemplars", "series")
}
