"""The courses that run, and the last that have ended, as files of this machine: `show` tells them.

A file is written again every second. Its lock is held while its process lives: a course that runs
by its file, and has no lock, belongs to a process that was killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import msgspec

from cli import journal
from cli.courses.course import FAILED, KILLED, RUNNING, Course

Keep = Callable[[Course], None]


@contextlib.contextmanager
def kept(environment: str, variables: Mapping[str, str] | None) -> Iterator[Keep]:
    """A function that notes a course as it is now. A disk that is full loses it.

    What is noted last stays until another course of the environment begins. A course that ends with
    an error has failed. Without variables there is no place, and nothing is noted.
    """
    last: list[Course] = []
    with _place(environment, variables) as file:

        def keep(course: Course) -> None:
            last[:] = [course]
            if file is not None:
                _write(file, course)

        try:
            yield keep
        except BaseException as error:
            if last and last[0].state == RUNNING:
                keep(replace(last[0], state=FAILED, problems=(str(error) or "interrupted",)))
            raise


@contextlib.contextmanager
def _place(environment: str, variables: Mapping[str, str] | None) -> Iterator[Path | None]:
    """A file of its own, locked until the block ends; None where there can be none."""
    with contextlib.ExitStack() as held:
        file = None
        if variables is not None:
            folder = _folder(environment, variables)
            with contextlib.suppress(OSError):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                _forget(folder)
                handle, name = tempfile.mkstemp(".lock", dir=folder)
                held.callback(os.close, handle)
                fcntl.flock(handle, fcntl.LOCK_EX)
                file = Path(name).with_suffix(".json")
        yield file


def read(environment: str, variables: Mapping[str, str]) -> tuple[Course, ...]:
    """The courses of an environment, those that run first, then the latest."""
    found = []
    for file in _folder(environment, variables).glob("*.json"):
        try:
            course = msgspec.json.decode(file.read_bytes(), type=Course)
        except (OSError, msgspec.MsgspecError):
            continue  # another one has begun
        if course.state == RUNNING and not _is_held(file.with_suffix(".lock")):
            course = replace(course, state=KILLED)
        found.append(course)
    found.sort(key=lambda one: one.began, reverse=True)
    return tuple(sorted(found, key=lambda one: one.state != RUNNING))


def _write(file: Path, course: Course) -> None:
    with contextlib.suppress(OSError):
        draft = file.with_suffix(".draft")
        draft.write_bytes(msgspec.json.encode(course))
        draft.replace(file)


def _forget(folder: Path) -> None:
    """Remove what is left of courses that run no more."""
    for lock in folder.glob("*.lock"):
        if not _is_held(lock):
            for suffix in (".json", ".draft", ".lock"):
                lock.with_suffix(suffix).unlink(missing_ok=True)


def _is_held(lock: Path) -> bool:
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
    except FileNotFoundError:
        return False
    except OSError:
        return True


def _folder(environment: str, variables: Mapping[str, str]) -> Path:
    return journal.folder(variables) / "courses" / environment
