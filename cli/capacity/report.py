"""The comparison with the quotas as text, as a document and as an error."""

from __future__ import annotations

from typing import Any

from cli.capacity.comparison import Comparison, Row
from cli.errors import CliError, Exit


def lines(made: Comparison) -> list[str]:
    """A line for each quota that is touched; those that do not fit come first."""
    order = [*made.exceeded, *made.narrow]
    rest = [row for row in made.rows if row not in order]
    return [*map(_line, (*order, *rest)), *(f"not compared: {one}" for one in made.unknown)]


def warnings(made: Comparison) -> list[str]:
    """A line for each quota that the growth of node pools would exceed."""
    return [
        f"quota {_name(row)}: node pools at their largest need {_number(row.used + row.most)}, "
        f"the limit is {_number(row.limit)}: pods would stay Pending"
        for row in made.narrow
    ]


def refusal(made: Comparison, project: str) -> CliError | None:
    """The error of an update that does not fit; None where it does."""
    if not made.exceeded:
        return None
    texts = [
        f"{_name(row)}: {_number(row.now)} asked for, {_number(row.used)} of "
        f"{_number(row.limit)} in use"
        for row in made.exceeded
    ]
    return CliError(
        f"the quotas of {project} do not suffice: {'; '.join(texts)}",
        "ask for more: https://console.cloud.google.com/iam-admin/quotas?project="
        f"{project}; or ask for less in the stack file",
        Exit.QUOTA,
    )


def document(made: Comparison) -> dict[str, Any]:
    """The comparison as a part of a JSON document."""
    return {
        "rows": [
            {
                "metric": row.metric.name,
                "region": row.metric.region or None,
                "used": row.used,
                "asked": row.now,
                "asked_at_most": row.most,
                "limit": row.limit,
                "fits": row.fits,
                "fits_at_most": row.fits_at_most,
            }
            for row in made.rows
        ],
        "not_compared": list(made.unknown),
    }


def _line(row: Row) -> str:
    verdict = "" if row.fits_at_most else ", too little at most" if row.fits else ", too little"
    most = f", at most {_number(row.most)}" if row.most != row.now else ""
    return (
        f"{_name(row)}: {_number(row.used)} of {_number(row.limit)} in use, "
        f"{_number(row.now)} asked for{most}{verdict}"
    )


def _name(row: Row) -> str:
    return f"{row.metric.name} in {row.metric.region}" if row.metric.region else row.metric.name


def _number(value: float) -> str:
    return f"{value:g}" if value < 1e6 else f"{value:.0f}"
