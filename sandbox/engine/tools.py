"""A tool set from its release or its sources: what is there, else a download, else a build.

PLATFORM_ENGINE_SOURCE restricts it: `download` never compiles, `build` asks no release. Without it,
a download that fails is replaced by a build, and one line says why.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from sandbox.engine import build, cache, releases
from sandbox.engine.errors import EngineError

Progress = Callable[[str], None]
VARIABLE = "PLATFORM_ENGINE_SOURCE"
DOWNLOAD, BUILD = "download", "build"


def wanted() -> frozenset[str]:
    """The ways that the environment allows. Raises EngineError for an unknown one."""
    given = os.environ.get(VARIABLE, "")
    if not given:
        return frozenset((DOWNLOAD, BUILD))
    if given not in (DOWNLOAD, BUILD):
        raise EngineError(
            f"{VARIABLE}={given!r} is unknown",
            f"set it to {DOWNLOAD} or {BUILD}; without it, what cannot be downloaded is built",
        )
    return frozenset((given,))


def is_ready(tool_set: build.ToolSet) -> bool:
    """Whether nothing has to be downloaded or built."""
    return _ready(tool_set, wanted()) is not None


def ensure(tool_set: build.ToolSet, progress: Progress) -> Path:
    """The cache entry of a tool set: `bin/<tool>` and `modules/<name>/…`. Raises EngineError."""
    ways = wanted()
    found = _ready(tool_set, ways)
    if found is None and DOWNLOAD in ways:
        found = _downloaded(tool_set, progress, only=BUILD not in ways)
    return found or build.ensure(tool_set, progress)


def _ready(tool_set: build.ToolSet, ways: frozenset[str]) -> Path | None:
    entries = []
    if DOWNLOAD in ways and (release := releases.find(tool_set)):
        entries.append(cache.directory() / releases.entry(tool_set, release))
    if BUILD in ways:
        entries.append(build.entry(tool_set))
    return next((entry for entry in entries if entry.is_dir()), None)


def _downloaded(tool_set: build.ToolSet, progress: Progress, *, only: bool) -> Path | None:
    """The cache entry of the release; None if it is to be built."""
    # They load an HTTP client, which is not needed once the tools are there.
    from sandbox.engine import downloads, reachability  # noqa: PLC0415
    from sandbox.engine.transfer import TransferError  # noqa: PLC0415

    release = releases.find(tool_set)
    if release is None:
        if only:
            raise EngineError(
                f"there is no release of {tool_set.name} that the sandbox uses on this machine",
                f"unset {VARIABLE}, so that it is built",
            )
        return None
    hosts = downloads.addresses(tool_set, release)
    try:
        if host := reachability.unreachable(hosts, again=only):
            raise TransferError(f"{host} cannot be reached")
        return cache.entry(
            releases.entry(tool_set, release),
            lambda folder: downloads.make(tool_set, release, folder, progress),
            lambda: progress(f"waiting: another process is downloading {tool_set.name}"),
        )
    except TransferError as error:
        if only:
            raise EngineError(
                f"{tool_set.name} cannot be downloaded: {error}",
                f"check the network and HTTPS_PROXY, or unset {VARIABLE}, so that it is built",
            ) from error
        progress(f"{tool_set.name} cannot be downloaded ({error}): building it instead")
        return None
