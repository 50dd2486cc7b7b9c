"""The user's cache directory, and how something is made in it exactly once.

An entry is a folder that appears whole, by a rename, or not at all. A lock a name keeps two makers
apart: the second waits for the first and then finds its work.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout

from sandbox.engine.errors import EngineError

_DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR}


def directory() -> Path:
    """`$XDG_CACHE_HOME/gke-platform`, by default below `~/.cache`."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "gke-platform"


def entry(name: str, make: Callable[[Path], None], waiting: Callable[[], None]) -> Path:
    """The folder `name`, made by `make(empty folder)` where it is missing.

    `waiting` is called once when somebody else is making it. Raises EngineError when the disk or
    the rights do not allow it; whatever `make` raises passes through, and leaves nothing.
    """
    folder = directory() / name
    if folder.is_dir():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder.with_name(f"{name}.lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            waiting()
            lock.acquire()
        try:
            if not folder.is_dir():
                _make(folder, make)
        finally:
            lock.release()
    except OSError as error:
        if error.errno not in _DISK_ERRORS:
            raise
        raise _disk_error(folder, error) from error
    return folder


def _make(folder: Path, make: Callable[[Path], None]) -> None:
    partial = folder.with_name(f".{folder.name}.partial")
    # We hold the lock, so what lies here is what an interrupted maker left.
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        make(partial)
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _disk_error(folder: Path, error: OSError) -> EngineError:
    if error.errno == errno.ENOSPC:
        return EngineError(
            f"{folder.parent}: no space left on the disk",
            "the engine needs about 2 GB while it is built and 0.7 GB afterwards; free some, "
            "or set XDG_CACHE_HOME to a larger disk",
        )
    return EngineError(
        f"{folder.parent}: {error.strerror or error}",
        "set XDG_CACHE_HOME to a folder that you can write to",
    )
