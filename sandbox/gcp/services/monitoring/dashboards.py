"""Validation of dashboards: the layout, and the metrics that they chart."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError
from sandbox.gcp.service import Call
from sandbox.gcp.services.monitoring import aggregations
from sandbox.gcp.services.monitoring.policies import check_filter

_LAYOUTS = ("gridLayout", "mosaicLayout", "rowLayout", "columnLayout")
_MOST_COLUMNS, _MOST_WIDGETS = 48, 100


def complete(call: Call, document: Json, _: Json | None) -> None:
    """Check a dashboard. Raises ApiError."""
    if not document.get("displayName"):
        raise ApiError(400, "Field displayName was not set")
    given = [name for name in _LAYOUTS if name in document]
    if len(given) != 1:
        raise ApiError(400, "A dashboard must have exactly one layout.")
    mosaic = document.get("mosaicLayout")
    if mosaic is not None:
        _check_mosaic(mosaic)
    for place, series in _filters(document[given[0]], given[0]):
        found = check_filter(
            call, str(series.get("filter") or ""), f"{place}.filter", call.path["projectsId"]
        )
        steps = [series[k] for k in ("aggregation", "secondaryAggregation") if series.get(k)]
        aggregations.check(steps, found.metric, f"{place}.aggregation")


def _check_mosaic(mosaic: Json) -> None:
    columns, tiles = mosaic.get("columns") or 0, mosaic.get("tiles") or []
    if not 1 <= columns <= _MOST_COLUMNS:
        raise ApiError(
            400, f"Field mosaicLayout.columns had an invalid value of {columns}: use 1 to 48."
        )
    if len(tiles) > _MOST_WIDGETS:
        raise ApiError(400, f"A dashboard has at most {_MOST_WIDGETS} widgets, not {len(tiles)}.")
    for index, tile in enumerate(tiles):
        if not tile.get("width") or not tile.get("height"):
            raise ApiError(400, f"Field mosaicLayout.tiles[{index}] has no width or no height.")
        if (tile.get("xPos") or 0) + tile["width"] > columns:
            raise ApiError(
                400, f"Field mosaicLayout.tiles[{index}] reaches beyond the {columns} columns."
            )
    for (i, one), (j, other) in combinations(enumerate(tiles), 2):
        if all(_meet(one, other, *axis) for axis in (("xPos", "width"), ("yPos", "height"))):
            raise ApiError(400, f"Fields mosaicLayout.tiles[{i}] and tiles[{j}] overlap.")


def _meet(one: Json, other: Json, position: str, size: str) -> bool:
    first, second = one.get(position) or 0, other.get(position) or 0
    return bool(first < second + other[size] and second < first + one[size])


def _filters(part: Any, place: str) -> Iterator[tuple[str, Json]]:
    """All time series filters of a layout, with the path of each."""
    if isinstance(part, dict):
        for name, value in part.items():
            if name == "timeSeriesFilter" and isinstance(value, dict):
                yield f"{place}.{name}", value
            else:
                yield from _filters(value, f"{place}.{name}")
    elif isinstance(part, list):
        for index, one in enumerate(part):
            yield from _filters(one, f"{place}[{index}]")
