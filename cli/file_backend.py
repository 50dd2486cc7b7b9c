"""A file backend of this machine (`PULUMI_BACKEND_URL=file://PATH`): its locks and its files.

Pulumi's commands know these as well; this looks at what a process left that was killed.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import psutil

from cli import interruption
from gkeplatform.layers import Layer


def _folder(environment: Mapping[str, str], *parts: str) -> Path | None:
    backend = environment.get("PULUMI_BACKEND_URL", "")
    if not backend.startswith("file://"):
        return None
    return Path(backend.removeprefix("file://").partition("?")[0], ".pulumi", *parts)


def is_whole(layer: Layer, stack: str, environment: Mapping[str, str]) -> bool:
    """Whether the state has nothing to settle; False where Pulumi must be asked.

    It spares a run of `pulumi stack export`, half a second a layer.
    """
    folder = _folder(environment, "stacks", layer.project)
    if folder is None or not folder.parents[2].is_dir():
        return False  # Pulumi says what is wrong with the backend
    try:
        text = (folder / f"{stack}.json").read_bytes()
        content = json.loads(text)
    except FileNotFoundError:
        return not list(folder.glob(f"{stack}.json*"))
    except (OSError, ValueError):
        return False
    latest = (content.get("checkpoint") or {}).get("latest") or {}
    return not latest.get("pending_operations") and interruption.UNREAD.encode() not in text


def is_of_this_machine(environment: Mapping[str, str]) -> bool:
    """Whether the states are files of this machine."""
    return _folder(environment) is not None


def document(layer: Layer, stack: str, environment: Mapping[str, str]) -> Any:
    """The stack's state as the backend keeps it; None where there is none that can be read."""
    folder = _folder(environment, "stacks", layer.project)
    try:
        return json.loads((folder / f"{stack}.json").read_bytes()) if folder else None
    except (OSError, ValueError):
        return None


def is_left_locked(layer: Layer, stack: str, environment: Mapping[str, str]) -> bool:
    """Whether the stack's locks are all of processes of this machine that no longer run."""
    folder = _folder(environment, "locks", "organization", layer.project, stack)
    locks = list(folder.glob("*.json")) if folder else []
    return bool(locks) and all(_is_dead(lock) for lock in locks)


def sweep(layer: Layer, stack: str, environment: Mapping[str, str]) -> None:
    """Remove what a process left half written. No other process may be using the stack.

    The state itself is replaced at once. The attributes beside it are not: a file of them that is
    empty makes every command fail with "failed to load checkpoint: EOF"; without one, all is well.
    """
    folder = _folder(environment, "stacks", layer.project)
    for file in folder.glob(f"{stack}.json*") if folder else ():
        is_partial = file.suffix == ".tmp" or (file.suffix == ".attrs" and not _is_json(file))
        if is_partial:
            with contextlib.suppress(OSError):
                file.unlink()


def _is_dead(lock: Path) -> bool:
    try:
        owner = json.loads(lock.read_bytes())
        is_here = owner["hostname"] == os.uname().nodename
        return is_here and not _runs(owner["pid"])
    except (ValueError, KeyError, TypeError):
        return True  # its owner was killed while it wrote
    except OSError:
        return False


def _runs(pid: int) -> bool:
    try:
        # A killed process remains until its parent has asked for its end.
        return psutil.Process(pid).status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.NoSuchProcess:
        return False


def _is_json(file: Path) -> bool:
    try:
        json.loads(file.read_bytes())
    except (OSError, ValueError):
        return False
    return True


def written(
    layers: Iterable[Layer], stack: str, environment: Mapping[str, str]
) -> tuple[int, ...] | None:
    """When the stacks' states were written, 0 for none; None for a backend that is elsewhere."""
    times = []
    for layer in layers:
        folder = _folder(environment, "stacks", layer.project)
        if folder is None:
            return None
        try:
            times.append((folder / f"{stack}.json").stat().st_mtime_ns)
        except OSError:
            times.append(0)
    return tuple(times)
