"""The official plugin for Google Cloud, where it can be downloaded.

`pulumi plugin install` is asked once: the plugin, or the reason why it cannot be had, is kept in
the user's cache directory. Our own plugin (`sandbox/plugins/gcp`) is for machines without internet.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from sandbox.engine import cache
from sandbox.engine.errors import EngineError

Progress = Callable[[str], None]
NAME = "pulumi-resource-gcp"
_ADDRESS = "https://get.pulumi.com/releases/plugins"
_OVERRIDES = "PULUMI_PLUGIN_DOWNLOAD_URL_OVERRIDES"
_SECONDS_TO_CONNECT = 3.0
_SECONDS_TO_DOWNLOAD = 900.0


def find(pulumi: Path, progress: Progress, *, again: bool = False) -> Path | None:
    """The plugin's binary; None where it cannot be had.

    A failed download is not tried `again`, unless asked to.
    """
    binary = cache.directory() / _entry() / NAME
    refused = cache.directory() / f"{_entry()}.refused"
    if binary.exists():
        return binary
    if refused.exists() and not again:
        return None
    progress("looking for the official Google plugin")
    try:
        _probe()
        cache.entry(
            _entry(),
            lambda folder: _install(pulumi, folder),
            lambda: progress("waiting for a download"),
        )
    except EngineError as error:
        refused.parent.mkdir(parents=True, exist_ok=True)
        refused.write_text(f"{error}\n")
        progress(f"{error}: using the plugin of this repository")
        return None
    refused.unlink(missing_ok=True)
    return binary


def refusal() -> str:
    """Why the plugin cannot be had; "" where it was not asked for, or is there."""
    try:
        return (cache.directory() / f"{_entry()}.refused").read_text().strip()
    except OSError:
        return ""


def _entry() -> str:
    return f"plugin-gcp-v{version('pulumi-gcp')}"


def _address() -> str:
    """The host of the downloads, as the CLI computes it: overrides are `regexp=URL,…`."""
    for pair in os.environ.get(_OVERRIDES, "").split(","):
        pattern, equals, url = pair.partition("=")
        if equals and re.search(pattern, _ADDRESS):
            return url
    return _ADDRESS


def _probe() -> None:
    """Raise EngineError where the host cannot be reached: the CLI itself tries for long."""
    import httpx  # noqa: PLC0415 (only until it is known)

    address = _address()
    try:
        httpx.head(address, timeout=_SECONDS_TO_CONNECT)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise EngineError(
            f"the official Google plugin cannot be had ({address}: {error})", _hint()
        ) from error


def _install(pulumi: Path, folder: Path) -> None:
    name = f"gcp v{version('pulumi-gcp')}"
    try:
        done = subprocess.run(
            [pulumi, "plugin", "install", "resource", *name.split(), "--non-interactive"],
            env={
                **os.environ,
                "PULUMI_HOME": str(folder),
                "PULUMI_SKIP_UPDATE_CHECK": "true",
                "NO_COLOR": "1",
            },
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=_SECONDS_TO_DOWNLOAD,
            check=False,
        )
    except subprocess.TimeoutExpired:
        reason = f"no answer in {_SECONDS_TO_DOWNLOAD:.0f} s"
        raise EngineError(f"the official Google plugin cannot be had ({reason})", _hint()) from None
    found = next(folder.glob(f"plugins/*/{NAME}"), None)
    if done.returncode or found is None:
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        reason = lines[-1].removeprefix("error: ")
        raise EngineError(f"the official Google plugin cannot be had ({reason})", _hint())
    found.rename(folder / NAME)


def _hint() -> str:
    return "`--plugins own` uses the plugin of this repository; `--plugins official` asks again"
