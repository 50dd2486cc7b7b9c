"""Made-up courses of drills and loads."""

from __future__ import annotations

from dataclasses import replace

from cli.courses.course import Course, Event, Sample, Second


def running(text: str = "", *, seconds: int = 24) -> Course:
    """A drill under way that has lost four requests; `text` is part of each free text."""
    return Course(
        name="rolling-update",
        environment="dev",
        model=f"resnet{text}",
        url=f"https://models.dev.acme.example/v1/models/resnet{text}",
        rate=20,
        began="2026-11-27T08:51:23+00:00",
        sent=20 * seconds,
        answered=20 * seconds - 4,
        lost=4,
        seconds=tuple(
            Second(
                answered=18 if 8 < at < 11 else 20,
                lost=2 if 8 < at < 11 else 0,
                p50=4.0,
                p99=9.0 + at % 3,
            )
            for at in range(seconds)
        ),
        replicas=(Sample(0.1, 3, 2), Sample(6.1, 2, 2), Sample(12.0, 3, 2), Sample(23.9, 3, 2)),
        events=(
            Event(5.0, f"another pod template{text}"),
            Event(9.2, f"a pod is ready on node gke-general-a-0{text}"),
        ),
        acted=5.0,
    )


def ended(text: str = "") -> Course:
    """The same, once it has failed."""
    return replace(
        running(text), state="failed", restored=20.0, problems=(f"4 requests were lost{text}",)
    )
