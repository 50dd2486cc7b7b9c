"""Serves a made-up environment as `platformctl show dev --serve` does, until Ctrl-C.

Its pods, and its courses of drills, are what the files of a folder say: `pods` has a state, and
`course` is there while a drill runs. Not a test; `test_served.py` starts it as a process.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from cli.commands import show
from cli.courses.course import Course
from cli.show import reading
from cli.show.picture import Picture
from tests.cli.courses import running
from tests.cli.show.pictures import picture
from tests.cli.show.test_server import with_pod


class Reader:
    """Stands for what reads the sandbox."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def picture(self) -> Picture:
        state = (self._folder / "pods").read_text(encoding="utf-8")
        return replace(with_pod(picture(), state), courses=self.courses())

    def courses(self) -> tuple[Course, ...]:
        seconds = self._folder / "course"
        return (running(seconds=int(seconds.read_text())),) if seconds.exists() else ()


def main(folder: Path) -> None:
    show._SECONDS = 0.2
    reading.Reader = lambda *_, **__: Reader(folder)  # type: ignore[assignment,misc]
    show._serve("dev", 0, open_=False, real=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
