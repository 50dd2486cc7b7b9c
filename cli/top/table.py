"""The figures of `top` as tables: for a terminal, or in full for a pipe."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli.alerting import Alert
from cli.show.adapters import text
from cli.top.figures import ModelRow, PoolRow, Requests, Top, VersionRow

_NONE = "-"
_GIB = 2**30
_FEWEST = 3
"""Rows of models that are shown on a terminal of any height."""


def whole(top: Top, at: str, *, height: int | None = None) -> Group:
    """All tables; `height` is the terminal's in lines, which leaves out the last models."""
    rows, left = _rows(top), 0
    fixed = 6 + len(top.pools) + (len(top.firing) + 1 if top.firing else 0)
    if height is not None and len(rows) > (room := max(_FEWEST, height - fixed - 1)):
        left = sum(isinstance(row, ModelRow) for row in rows[room:])
        rows = rows[:room]
    models = _models(rows, adapters=any(row.adapters for row in top.models))
    parts: list[RenderableType] = [_headline(top, at), Text(), _pools(top), Text(), models]
    if left:
        parts.append(Text(f"and {left} more models: --once shows all", style="dim"))
    if top.firing:
        parts += [Text(), *map(_alert, top.firing)]
    return Group(*parts)


def _headline(top: Top, at: str) -> Text:
    ready = sum(row.ready for row in top.models)
    wanted = sum(row.wanted for row in top.models)
    firing = len(top.firing)
    said = Text(f"{top.environment} ({top.where})", style="bold")
    return said.append(
        f"  {at}  {len(top.models)} models, {ready} of {wanted} replicas ready, "
        f"{sum(row.nodes for row in top.pools)} nodes, {firing} "
        f"{'alert fires' if firing == 1 else 'alerts fire'}; requests of the last {top.seconds} s",
        style="not bold",
    )


def _rows(top: Top) -> list[ModelRow | VersionRow]:
    found: list[ModelRow | VersionRow] = []
    for model in top.models:
        found += [model, *(model.versions if len(model.versions) > 1 else ())]
    return found


def _models(rows: Sequence[ModelRow | VersionRow], *, adapters: bool) -> Table:
    """`adapters`: whether there is a column for LoRA adapters."""
    table = _table(
        "MODEL",
        "READY",
        "BOUNDS",
        "REQ/S",
        "ERRORS",
        "P50 MS",
        "P99 MS",
        "IN FLIGHT",
        "FIRING",
        *(["ADAPTERS"] if adapters else []),
        "VERSION",
    )
    for row in rows:
        name = row.name if isinstance(row, ModelRow) else f"  {row.name}"
        ready = Text(f"{row.ready}/{row.wanted}", "" if row.ready >= row.wanted else "yellow")
        bounds = f"{row.minimum}-{row.maximum}" if isinstance(row, ModelRow) else _share(row)
        firing = Text()
        if isinstance(row, ModelRow):
            firing = Text(str(row.firing), "red" if row.firing else "")
        table.add_row(
            Text(name),
            ready,
            Text(bounds),
            *_figures(row.requests),
            firing,
            *([_adapters(row)] if adapters else []),
            Text(_version(row)),
        )
    return table


def _adapters(row: ModelRow | VersionRow) -> Text:
    if not isinstance(row, ModelRow) or row.adapters is None:
        return Text("" if isinstance(row, VersionRow) else _NONE)
    said = Text(text(row.adapters))
    crowded = row.adapters.crowded
    return said.append(f"; {crowded} crowded", "yellow") if crowded else said


def _share(row: VersionRow) -> str:
    return f"{row.weight} %" + (f", {row.mirror} % mirrored" if row.mirror else "")


def _version(row: ModelRow | VersionRow) -> str:
    if isinstance(row, VersionRow):
        return _tag(row.image)
    return _tag(row.versions[0].image) if len(row.versions) == 1 else ""


def _tag(image: str) -> str:
    """The last part of an image's name, with its tag."""
    name, _, digest = image.partition("@")
    name = name.rpartition("/")[2]
    return name if ":" in name or not digest else f"{name}@{digest[:19]}"


def _figures(requests: Requests) -> list[Text]:
    share = requests.error_share
    return [
        Text(_number(requests.per_second)),
        Text(_NONE if share is None else f"{100 * share:.2f} %", "red" if share else ""),
        Text(_number(requests.p50_ms)),
        Text(_number(requests.p99_ms)),
        Text(_number(requests.in_flight)),
    ]


def _number(value: float | None) -> str:
    if value is None:
        return _NONE
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}"


def _pools(top: Top) -> Table:
    classes = any(row.compute_class for row in top.pools)
    table = _table(
        "NODE POOL",
        *(["CLASS"] if classes else []),
        "NODES",
        "BOUNDS",
        "CPU",
        "MEMORY GIB",
        "ACCELERATORS",
    )
    for row in top.pools:
        nodes = Text(
            str(row.nodes) if row.ready == row.nodes else f"{row.ready}/{row.nodes}",
            "" if row.ready == row.nodes else "yellow",
        )
        table.add_row(
            Text(row.name),
            *([Text(row.compute_class or _NONE)] if classes else []),
            nodes,
            Text(_NONE if row.maximum is None else f"{row.minimum}-{row.maximum}"),
            Text(_used(row.cpu_requested, row.cpu)),
            Text(_used(row.memory_requested / _GIB, row.memory / _GIB)),
            Text(_accelerators(row)),
        )
    return table


def _accelerators(row: PoolRow) -> str:
    if not row.accelerator and not row.accelerators:
        return _NONE
    return f"{_used(row.accelerators_requested, row.accelerators)} {row.accelerator}".strip()


def _used(used: float, most: float) -> str:
    return f"{used:.4g}/{most:.4g}" if most else _NONE


def _alert(alert: Alert) -> Text:
    said = Text(f"{alert.state} {alert.severity:<9}", "red")
    return said.append(f" {alert.name}  ({alert.detail})", "default")


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        is_name = heading in {"MODEL", "NODE POOL", "CLASS", "ADAPTERS", "VERSION"}
        table.add_column(heading, justify="left" if is_name else "right", no_wrap=True)
    return table
