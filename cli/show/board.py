"""What a served page shows now, and what has changed since it was sent."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace

from markupsafe import Markup

from cli.courses.course import Course
from cli.show import page
from cli.show.picture import Picture

Courses = tuple[Course, ...]
Parts = Mapping[str, Markup]
ROOT = "source"
"""Where the server has the files that a page links to."""
_KEPT = 20
"""Versions that a browser may be behind without getting every part again."""


@dataclass(frozen=True, slots=True)
class Version:
    """One state of the page."""

    number: int
    picture: Picture
    parts: Parts


@dataclass(frozen=True, slots=True)
class News:
    """What a browser that has version `number` gets."""

    number: int
    parts: Mapping[str, str]
    trouble: str
    """Why the last reading failed; empty if it did not."""


class Board:
    """The versions of a page. Used by the thread that reads, and one for each browser."""

    def __init__(self, picture: Picture) -> None:
        self._changed = threading.Condition()
        self._versions = deque([Version(1, picture, page.parts(picture, root=ROOT))], _KEPT)
        self._trouble = ""

    @property
    def version(self) -> Version:
        """The present version."""
        with self._changed:
            return self._versions[-1]

    def show(self, picture: Picture) -> None:
        """Make the picture the present version, if it shows anything else."""
        parts = page.parts(picture, root=ROOT)
        with self._changed:
            last = self._versions[-1]
            if parts != last.parts:
                self._versions.append(Version(last.number + 1, picture, parts))
            elif not self._trouble:
                return
            self._trouble = ""
            self._changed.notify_all()

    def show_courses(self, courses: Courses) -> None:
        """Make the present picture with these drills and loads the present version."""
        with self._changed:
            last = self._versions[-1]
            if courses == last.picture.courses:
                return
            picture = replace(last.picture, courses=courses)
            shown = page.parts(picture, root=ROOT)
            self._versions.append(Version(last.number + 1, picture, shown))
            self._changed.notify_all()

    def fail(self, reason: str) -> None:
        """Say why the present version is not that of now."""
        with self._changed:
            self._trouble = reason
            self._changed.notify_all()

    def news(self, number: int, trouble: str, patience: float) -> News:
        """Wait until something differs from what a browser knows, for so many seconds at most."""
        with self._changed:
            self._changed.wait_for(
                lambda: (self._versions[-1].number, self._trouble) != (number, trouble), patience
            )
            last = self._versions[-1]
            had = next((one.parts for one in self._versions if one.number == number), {})
            return News(last.number, changed(had, last.parts), self._trouble)


def changed(before: Parts, after: Parts) -> dict[str, str]:
    """The parts that differ: the section of models as a whole only where models come or go."""
    differ = {name: str(html) for name, html in after.items() if before.get(name) != html}
    if differ.pop("frame", None) is None:
        differ.pop("models", None)
        return differ
    return {name: html for name, html in differ.items() if ":" not in name}
