"""The course of a drill as a picture: rate, losses, p99 and replicas over time, with its events."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from markupsafe import Markup

from cli.courses import drawing
from cli.courses.course import FAILED, PASSED, Course, Seconds, changes
from cli.drills.drill import Drill
from cli.drills.report import Report
from cli.pictures.chart import svg
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

    def begun(self, drill: Drill, *, began: str) -> Course:
        """The course of a drill that begins."""
        return Course(
            name=drill.name,
            environment=self.environment,
            model=self.model,
            url=self.url,
            rate=self.rate,
            began=began,
        )


def course(report: Report, begun: Course) -> Course:
    """What a drill that began so has come to."""
    result = report.result
    return replace(
        begun,
        state=FAILED if report.problems else PASSED,
        sent=result.sent,
        answered=result.answered,
        lost=result.total_lost,
        seconds=tuple(Seconds().of(result, is_over=True)),
        replicas=changes(report.replicas),
        events=report.events,
        acted=report.acted,
        restored=report.restored,
        problems=report.problems,
    )


def picture(report: Report, subject: Subject, form: str) -> str:
    """The file's text: a chart alone as `svg`, with all figures as `html`."""
    drawn = drawing.chart(course(report, subject.begun(report.drill, began="")))
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
