"""The course of a made-up drill. Not a test."""

from __future__ import annotations

from cli.courses.course import Event, Sample
from cli.drills.course import Subject
from cli.drills.report import Report
from cli.traffic.connection import Loss
from tests.cli.drills.test_reports import figures, report

SUBJECT = Subject(
    environment="dev",
    model="resnet",
    url="https://models.dev.acme.example/v1/models/resnet",
    rate=20,
)


def drilled(text: str = "", *, has_budget: bool = True) -> Report:
    """A drill of 24 s that loses four requests in two of them; `text` is part of each event."""
    seconds: list[list[float | Loss]] = [
        [0.004 + 0.001 * (second % 3)] * 18 + ([Loss.SERVER_ERROR] * 2 if 8 < second < 11 else [])
        for second in range(24)
    ]
    samples = tuple(Sample(at / 10, 2 if 60 < at < 120 else 3, 2) for at in range(240))
    return report(
        figures(seconds),
        events=(
            Event(5.0, f"another pod template{text}"),
            Event(5.2, f"a pod is ready on node gke-general-a-0{text}"),
            Event(14.9, f"the former pod template{text}"),
        ),
        acted=5.0,
        restored=15.0,
        replicas=samples if has_budget else (),
    )
