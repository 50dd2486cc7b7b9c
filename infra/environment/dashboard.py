"""The dashboards of an environment as Cloud Monitoring's JSON: a row per model, pods below.

A row shows requests, failures by version, latency and remaining error budget.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from gkeplatform.contracts import RoutedModel
from infra.environment.filters import matches
from infra.environment.objectives import Objectives, latencies, requests

Json = dict[str, Any]
COLUMNS = 48
"""Columns of a mosaic layout."""
ROW = 12
WIDGETS = 100
"""Widgets of one dashboard at most: https://cloud.google.com/monitoring/quotas."""
CPU = "kubernetes.io/container/cpu/request_utilization"
MEMORY = "kubernetes.io/container/memory/request_utilization"
ALIGNED = "60s"


def dashboards(
    title: str,
    objectives: Sequence[Objectives],
    slos: Mapping[str, str],
    *,
    namespaces: Collection[str],
    cluster: str,
) -> list[str]:
    """The dashboards' JSON: one, and further ones once its widgets are used up.

    `slos` are full resource names, by `<model>-<objective>`.
    """
    pages: list[list[list[Json]]] = [[]]
    rows = [_model_charts(one, slos) for one in objectives]
    for row in (*rows, _pod_charts(namespaces, cluster)):
        if sum(map(len, pages[-1])) + len(row) > WIDGETS:
            pages.append([])
        pages[-1].append(row)
    return [
        _document(title if number == 1 else f"{title}-{number}", page)
        for number, page in enumerate(pages, start=1)
    ]


def pages(objectives: Sequence[Objectives]) -> int:
    """How many dashboards `dashboards` makes, which does not depend on the SLOs."""
    names = {f"{one.model.name}-{name}": "" for one in objectives for name in one.goals}
    return len(dashboards("", objectives, names, namespaces=(), cluster=""))


def _document(title: str, rows: Sequence[Sequence[Json]]) -> str:
    tiles = [tile for index, row in enumerate(rows) for tile in _row(index * ROW, row)]
    return json.dumps(
        {"displayName": title, "mosaicLayout": {"columns": COLUMNS, "tiles": tiles}},
        sort_keys=True,
    )


def _pod_charts(namespaces: Collection[str], cluster: str) -> list[Json]:
    pods = (
        f'resource.type = "k8s_container" AND resource.labels.cluster_name = "{cluster}" AND '
        f"resource.labels.namespace_name {matches(namespaces)}"
    )
    by_container = "resource.label.container_name"
    return [
        _chart(
            "CPU against requests",
            [
                _series(
                    f'metric.type = "{CPU}" AND {pods}', "ALIGN_MEAN", "REDUCE_MEAN", by_container
                )
            ],
        ),
        _chart(
            "Memory against requests",
            [
                _series(
                    f'metric.type = "{MEMORY}" AND {pods} AND '
                    'metric.labels.memory_type = "non-evictable"',
                    "ALIGN_MEAN",
                    "REDUCE_MAX",
                    by_container,
                )
            ],
        ),
    ]


def _model_charts(one: Objectives, slos: Mapping[str, str]) -> list[Json]:
    model = one.model
    return [
        _chart(
            f"{model.name}: requests by answer",
            [
                _series(
                    requests(model),
                    "ALIGN_RATE",
                    "REDUCE_SUM",
                    "metric.label.response_code_class",
                )
            ],
        ),
        *_versions(model),
        _chart(
            f"{model.name}: milliseconds, 50th and 99th percentile",
            [
                _series(latencies(model), f"ALIGN_PERCENTILE_{share}", "REDUCE_MAX")
                for share in (50, 99)
            ],
            line=one.latency_milliseconds,
        ),
        _chart(
            f"{model.name}: budget left",
            [
                {
                    "timeSeriesQuery": {
                        "timeSeriesFilter": {
                            "filter": budget_filter(slos[f"{model.name}-{name}"]),
                            "aggregation": {"perSeriesAligner": "ALIGN_NEXT_OLDER"},
                        },
                        "unitOverride": "10^2.%",
                    },
                    "plotType": "LINE",
                    "legendTemplate": name,
                }
                for name in one.goals
            ],
        ),
    ]


def _versions(model: RoutedModel) -> list[Json]:
    """Failed requests by version, which decide whether the canary gets a larger share."""
    if model.canary_service is None:
        return []
    series = _series(
        requests(model, failed=True),
        "ALIGN_RATE",
        "REDUCE_SUM",
        "resource.label.backend_target_name",
    )
    return [_chart(f"{model.name}: failed requests by version", [series])]


def budget_filter(slo: str) -> str:
    """The selector of the remaining error budget, as a fraction."""
    return f'select_slo_budget_fraction("{slo}")'


def _series(filter_: str, aligner: str, reducer: str, *group_by: str) -> Json:
    aggregation: Json = {
        "alignmentPeriod": ALIGNED,
        "perSeriesAligner": aligner,
        "crossSeriesReducer": reducer,
    }
    if group_by:
        aggregation["groupByFields"] = list(group_by)
    query = {"timeSeriesFilter": {"filter": filter_, "aggregation": aggregation}}
    return {"timeSeriesQuery": query, "plotType": "LINE"}


def _chart(title: str, series: list[Json], *, line: float | None = None) -> Json:
    chart: Json = {"dataSets": series, "yAxis": {"scale": "LINEAR"}}
    if line is not None:
        chart["thresholds"] = [{"value": line}]
    return {"title": title, "xyChart": chart}


def _row(top: int, widgets: Sequence[Json]) -> list[Json]:
    """The widgets side by side, over the whole width."""
    width = COLUMNS // len(widgets)
    return [
        {"xPos": index * width, "yPos": top, "width": width, "height": ROW, "widget": widget}
        for index, widget in enumerate(widgets)
    ]
