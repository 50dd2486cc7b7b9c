"""A course as a chart: rate, losses, latencies and replicas over time, with its events."""

from __future__ import annotations

from cli.courses.course import RUNNING, Course
from cli.pictures.chart import Chart, Line, Mark, Panel, Span


def chart(course: Course) -> Chart:
    """The lines over time. A second's figures lie at its middle; 5xx are losses."""
    first, length = course.first, len(course.seconds)
    end = max(float(length), (course.restored or 0.0) - first)
    each = [(at + 0.5, one) for at, one in enumerate(course.seconds)]
    panels = [
        Panel(
            "requests a second",
            [
                Line("answered", [(at, one.answered) for at, one in each]),
                Line("lost", [(at, one.lost) for at, one in each], is_bad=True),
            ],
            whole=True,
        ),
        Panel(
            "latency, ms",
            [
                Line("p99", [(at, one.p99) for at, one in each]),
                Line("p50", [(at, one.p50) for at, one in each]),
            ],
        ),
    ]
    looks = [one for one in course.replicas if 0 <= one.at - first <= end]
    if looks:
        panels.append(
            Panel(
                "replicas, by the disruption budget",
                [
                    Line("available", [(one.at - first, one.healthy) for one in looks], True),
                    Line("demanded", [(one.at - first, one.desired) for one in looks], True),
                ],
                whole=True,
            )
        )
    return Chart(
        title=f"{course.name} of {course.model} in {course.environment}",
        description=_told(course),
        seconds=end,
        panels=panels,
        marks=[Mark(one.at - first, one.text) for one in course.events if one.at - first >= 0],
        spans=_spans(course, end),
        before=first,
    )


def _told(course: Course) -> str:
    so_far = " so far" if course.state == RUNNING else ""
    return (
        f"{course.sent} requests were sent{so_far} at {course.rate:g} a second, {course.answered} "
        f"answered and {course.lost} lost, in {course.first + len(course.seconds)} seconds with "
        f"{len(course.events)} events."
    )


def _spans(course: Course, end: float) -> list[Span]:
    if course.acted is None:
        return []
    start = max(course.acted - course.first, 0.0)
    if course.restored is None:
        return [Span(start, max(start, end), "done, and not yet taken back")]
    until = course.restored - course.first
    return [Span(start, until, "done, and not yet taken back")] if until >= 0 else []
