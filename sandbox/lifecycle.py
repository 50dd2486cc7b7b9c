"""Starting, stopping, resetting and inspecting the sandbox, and its environment variables.

The CLI imports this, `sandbox.expected_cluster`, `sandbox.front_ends`, `sandbox.home` and
`sandbox.engine`, and nothing else of the sandbox.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout

from sandbox import installation
from sandbox.engine import Engine
from sandbox.home import Home, SandboxError, disk_error
from sandbox.kubernetes import kubeconfig, processes
from sandbox.traffic.runtime import frontends
from sandbox.traffic.runtime import processes as traffic_processes
from sandbox.traffic.runtime.frontends import Frontend

__all__ = [
    "Home",
    "SandboxError",
    "Status",
    "daemon_record",
    "environment",
    "reset",
    "start",
    "status",
    "stop",
]

Progress = Callable[[str], None]
_SECONDS_TO_START = 60.0  # clusters of an earlier run start before it is ready
_SECONDS_TO_STOP = 15.0


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a sandbox."""

    home: str
    running: bool
    port: int | None = None
    pid: int | None = None
    started: str | None = None
    memory_mib: int = 0
    """Resident memory of all processes; shared pages count once per process."""
    processes: int = 0
    plugins: str = ""
    """The Google plugin that runs: official or own; empty before the first start."""
    clusters: dict[str, str] = field(default_factory=dict)
    """`project.location.name` → running, starting (not created yet) or stopped."""
    frontends: list[Frontend] = field(default_factory=list)
    """Where requests are answered; none while it is stopped."""


def start(
    home: Home,
    engine: Engine,
    progress: Progress = lambda _: None,
    google_plugin: Path | None = None,
) -> Status:
    """Start the sandbox with the state of earlier runs. Raises SandboxError.

    `google_plugin` is the official plugin's binary; without it, ours runs.
    """
    home.prepare()
    with _lock(home):
        record = daemon_record(home)
        if record is None:
            progress("starting the sandbox")
            child = _spawn(home, engine)
            # The CLI takes a moment to make the salt: do it while the daemon starts.
            installation.install(home, engine, google_plugin)
            _wait(home, child)
        else:
            installation.install(home, engine, google_plugin)
    write_kubeconfig(home)
    return status(home)


def stop(home: Home) -> int:
    """Stop every process of the sandbox and keep its state; returns the number of processes."""
    if not home.path.exists():
        return 0
    with _lock(home):
        ended = _end_daemon(home)
        ended += traffic_processes.end_all(home)
        for folder in sorted((home.path / "clusters").glob("*")):
            ended += processes.end_all(folder)
    return ended


def reset(home: Home) -> int:
    """Stop the sandbox and delete its home; returns the number of processes stopped."""
    ended = stop(home)
    try:
        for entry in home.path.iterdir() if home.path.exists() else ():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        if home.path.exists():
            home.path.rmdir()
    except OSError as error:
        raise disk_error(home.path, error) from error
    return ended


def status(home: Home) -> Status:
    """The current state; changes nothing."""
    record = daemon_record(home)
    clusters: dict[str, str] = {}
    ours: list[psutil.Process] = []
    for folder in sorted((home.path / "clusters").glob("*")):
        components = processes.below(folder)
        is_made = (folder / "cluster.json").is_file()
        running = "running" if is_made else "starting"
        clusters[folder.name] = running if components else "stopped"
        ours.extend(components)
    if record is not None:
        for one in ("pid", "interpreter"):
            with contextlib.suppress(psutil.NoSuchProcess, KeyError):
                ours.append(psutil.Process(record[one]))
    ours.extend(traffic_processes.running(home))
    memory = 0
    for process in ours:
        with contextlib.suppress(psutil.NoSuchProcess):
            memory += process.memory_info().rss
    return Status(
        home=str(home.path),
        running=record is not None,
        port=record["port"] if record else None,
        pid=record["pid"] if record else None,
        started=record["started"] if record else None,
        memory_mib=memory // 2**20,
        processes=len(ours),
        plugins=plugins(home),
        clusters=clusters,
        frontends=frontends.read(home.traffic) if record else [],
    )


def plugins(home: Home) -> str:
    """The Google plugin that was last chosen: official or own; "" before the first start."""
    try:
        return home.plugins.read_text().strip()
    except OSError:
        return ""


def environment(home: Home, base: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables for using the running sandbox. Raises SandboxError if none runs."""
    record = daemon_record(home)
    if record is None:
        raise SandboxError(
            f"the sandbox in {home.path} is not running", "./platformctl sandbox start"
        )
    write_kubeconfig(home)
    return installation.environment(home, record["port"], os.environ if base is None else base)


def foreign() -> tuple[str, ...]:
    """Variables that must not be set along with those of `environment`."""
    return installation.FOREIGN


def write_kubeconfig(home: Home) -> None:
    """Rewrite the kubeconfig: a context for every cluster."""
    kubeconfig.write(home.kubeconfig, home.path / "clusters")


def _lock(home: Home) -> FileLock:
    lock = FileLock(f"{home.path}.lock", thread_local=False)
    try:
        lock.acquire(timeout=120)
    except Timeout:
        raise SandboxError(
            f"another process is starting or stopping the sandbox in {home.path}",
            "wait for it, or look at `./platformctl sandbox status`",
        ) from None
    except OSError as error:
        raise disk_error(home.path, error) from error
    return lock


def daemon_record(home: Home) -> dict[str, Any] | None:
    """The daemon's record (port, pid, started), if it answers."""
    try:
        record: dict[str, Any] = json.loads(home.record.read_text())
        if not _is_daemon(record["pid"], home):
            return None
        url = f"http://127.0.0.1:{record['port']}/sandbox/v1/health"
        with urllib.request.urlopen(url, timeout=5) as answer:
            return record if answer.status == 200 else None
    except (OSError, ValueError, KeyError, urllib.error.URLError):
        return None


def _is_daemon(pid: int, home: Home) -> bool:
    """Whether the process is this home's daemon, not another that reuses the process id."""
    try:
        line = psutil.Process(pid).cmdline()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
    return "sandbox.daemon" in line and str(home.path) in line


def _daemons(home: Home) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if _is_daemon(process.pid, home):
                found.append(process)
    return found


def _spawn(home: Home, engine: Engine) -> subprocess.Popen[bytes]:
    _end_daemon(home)  # a daemon that no longer answers
    port = 0
    with contextlib.suppress(OSError, ValueError, KeyError):
        # Reuse the port: shells and kubeconfigs refer to it.
        port = int(json.loads(home.record.read_text())["port"])
    home.record.unlink(missing_ok=True)
    modules = json.dumps({name: str(path) for name, path in engine.modules.items()})
    command = [
        sys.executable, "-m", "sandbox.daemon", "--home", str(home.path),
        "--binaries", str(engine.binaries), "--modules", modules, "--port", str(port),
    ]  # fmt: skip
    path = os.pathsep.join([str(installation.ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(":")
    try:
        with (home.logs / "daemon.log").open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=home.path,
                env={**os.environ, "PYTHONPATH": path},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
    except OSError as error:
        raise disk_error(home.path, error) from error


def _wait(home: Home, child: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _SECONDS_TO_START
    while daemon_record(home) is None:
        if child.poll() is not None:
            raise SandboxError(
                f"the sandbox ended while it started: {_last_line(home)}",
                f"see {home.logs / 'daemon.log'}; `./platformctl sandbox reset` starts over",
            )
        if time.monotonic() > deadline:
            child.terminate()
            raise SandboxError(
                f"the sandbox is not ready after {_SECONDS_TO_START:.0f} s",
                f"see {home.logs / 'daemon.log'}",
            )
        time.sleep(0.05)
    child.returncode = 0  # it keeps running; do not wait for it


def _last_line(home: Home) -> str:
    lines = (home.logs / "daemon.log").read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "no reason given"


def _end_daemon(home: Home) -> int:
    found = _daemons(home)
    for process in found:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    _, left = psutil.wait_procs(found, timeout=_SECONDS_TO_STOP)
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    return len(found)
