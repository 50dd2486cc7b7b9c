"""The user's cache directory; each entry is created once.

An entry is a folder that appears atomically, by a rename. A lock per name makes a second process
wait for the first and then use its entry.
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
    """The folder `name`; if it is missing, `make(empty folder)` fills it.

    `waiting` is called once if another process is creating it. Raises EngineError for a full disk
    or missing permissions; an exception of `make` passes through and leaves no entry.
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
    # We hold the lock, so this is left over from an interrupted run.
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
