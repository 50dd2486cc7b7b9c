"""The course of a drill as a picture: rate, losses, p99 and replicas over time, with its events."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from cli.drills.report import Report
from cli.pictures.chart import Chart, Line, Mark, Panel, Span, svg
from cli.templates import templates_in

_FOLDER = Path(__file__).parent
_STYLE = _FOLDER.parent / "show" / "page.css"
FORMS = ("html", "svg")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What was drilled."""

    environment: str
    model: str
    url: str
    rate: float
    """Requests a second that were to be sent."""


def chart(report: Report, subject: Subject) -> Chart:
    """The lines over time. A second's figures lie at its middle; 5xx are losses."""
    seconds = report.result.per_second
    panels = [
        Panel(
            "requests a second",
            [
                Line("answered", [(at + 0.5, one.answered) for at, one in enumerate(seconds)]),
                Line("lost", [(at + 0.5, one.total_lost) for at, one in enumerate(seconds)]),
            ],
            whole=True,
        ),
        Panel(
            "latency, ms",
            [
                Line(
                    name,
                    [
                        (at + 0.5, one.latencies.milliseconds()[name])
                        for at, one in enumerate(seconds)
                    ],
                )
                for name in ("p99", "p50")
            ],
        ),
    ]
    if report.replicas:
        panels.append(
            Panel(
                "replicas, by the disruption budget",
                [
                    Line("available", [(one.at, one.healthy) for one in report.replicas], True),
                    Line("demanded", [(one.at, one.desired) for one in report.replicas], True),
                ],
                whole=True,
            )
        )
    result = report.result
    return Chart(
        title=f"{report.drill.name} of {subject.model} in {subject.environment}",
        description=(
            f"{result.sent} requests were sent at {subject.rate:g} a second, {result.answered} "
            f"answered and {result.total_lost} lost, in {len(seconds)} seconds with "
            f"{len(report.events)} events."
        ),
        seconds=max(float(len(seconds)), report.restored),
        panels=panels,
        marks=[Mark(one.at, one.text) for one in report.events],
        spans=[Span(report.acted, report.restored, "done, and not yet taken back")],
    )


def picture(report: Report, subject: Subject, form: str) -> str:
    """The file's text: a chart alone as `svg`, with all figures as `html`."""
    drawn = chart(report, subject)
    if form == "svg":
        return svg(drawn)
    templates = templates_in(_FOLDER)
    return templates.get_template("course.html.j2").render(
        it=report,
        document=report.document(),
        subject=subject,
        title=drawn.title,
        # Both are made by this program, and the chart escapes what it is given.
        chart=Markup(svg(drawn, with_events=False)),  # noqa: S704
        style=Markup(_STYLE.read_text(encoding="utf-8")),  # noqa: S704
    )
