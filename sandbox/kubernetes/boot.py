"""Starts a control plane through kwokctl, and reports in one line why it does not start."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from sandbox.kubernetes import configuration, failure_reasons, ports, processes
from sandbox.kubernetes.api_server import ApiServer
from sandbox.kubernetes.folder import KWOK_NAME, Folder, Settings, write_private
from sandbox.kubernetes.specs import ControlPlaneError

TIMEOUT = 90.0
"""Seconds to wait for a control plane without a known failure; long for slow, loaded laptops."""
_FATAL = ("etcd", "kube-apiserver")
_ATTEMPTS = 3


class _DiedError(Exception):
    """A component exited while the control plane started."""

    def __init__(self, component: str, reason: str) -> None:
        super().__init__(reason)
        self.component = component
        self.reason = reason


async def bring_up(
    folder: Folder,
    settings: Settings,
    *,
    binaries: Path,
    modules: Mapping[str, Path],
    token: str,
) -> Settings:
    """Start the missing components of a control plane and wait until its API answers.

    Objects and keys in the folder are kept. Ports that are in use by other processes are
    replaced. Returns the settings with the actual ports.
    """
    configuration.check(binaries, modules)
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            await asyncio.to_thread(_prepare, folder, settings, binaries, modules, token)
            await _run(folder, settings, binaries, modules, token)
        except _DiedError as death:
            await asyncio.to_thread(processes.end_all, folder.path)
            # Another process may take a port between its choice and its use.
            if "port is taken" in death.reason and attempt < _ATTEMPTS:
                continue
            raise ControlPlaneError(
                f"cluster {folder.key}: {death.component} does not start: {death.reason}; "
                f"see {folder.log(death.component)}"
            ) from death
        except OSError as error:
            await asyncio.to_thread(processes.end_all, folder.path)
            if error.errno == errno.ENOSPC:
                raise ControlPlaneError(
                    f"cluster {folder.key}: the disk of {folder.path} is full; free some space"
                ) from error
            raise ControlPlaneError(f"cluster {folder.key}: {error}") from error
        except BaseException:
            # Failed or interrupted: end what was started.
            processes.end_all(folder.path)
            raise
        return settings
    raise AssertionError("the last attempt raises")


def _prepare(
    folder: Folder,
    settings: Settings,
    binaries: Path,
    modules: Mapping[str, Path],
    token: str,
) -> None:
    """Write the configuration files. Running components are not affected."""
    folder.path.mkdir(parents=True, exist_ok=True)
    running = processes.below(folder.path)
    if not running:
        settings.ports = ports.choose(settings.ports)
    write_private(folder.tokens, f'{token},admin,admin,"system:masters"\n')
    text = configuration.render(folder, settings, binaries=binaries, modules=modules)
    kwok_state = folder.state / "kwok.yaml"
    if not running or not kwok_state.exists() or text != _read(folder.configuration):
        processes.end_all(folder.path)
        write_private(folder.configuration, text)
        # Without its state file kwokctl recreates the cluster with this configuration and these
        # binaries, and keeps existing keys and etcd's data.
        kwok_state.unlink(missing_ok=True)
        shutil.rmtree(folder.binaries, ignore_errors=True)
    if folder.state.exists():
        processes.forget_dead(folder.state)


def _read(path: Path) -> str | None:
    try:
        return path.read_text()
    except FileNotFoundError:
        return None


async def _run(
    folder: Folder,
    settings: Settings,
    binaries: Path,
    modules: Mapping[str, Path],
    token: str,
) -> None:
    deadline = time.monotonic() + TIMEOUT
    await _kwokctl(folder, binaries, modules, deadline)
    server = ApiServer(
        settings.ports["api"],
        ca=folder.state / "pki" / "ca.crt",
        token=token,
        agent="sandbox",
    )
    try:
        while not await server.is_ready():
            await asyncio.to_thread(_check_alive, folder)
            if time.monotonic() > deadline:
                raise _DiedError("kube-apiserver", f"it did not answer within {TIMEOUT:.0f} s")
            await asyncio.sleep(0.05)
    finally:
        await server.close()
    # Other components exit if the API server takes too long, as on a slow machine.
    missing = await asyncio.to_thread(_missing, folder)
    for _ in range(_ATTEMPTS):
        if not missing:
            return
        await _kwokctl(folder, binaries, modules, deadline)
        await asyncio.sleep(0.5)
        missing = await asyncio.to_thread(_missing, folder)
    if missing:
        raise _DiedError(missing[0], failure_reasons.find(folder.log(missing[0])))


def _missing(folder: Folder) -> list[str]:
    alive = set(processes.below(folder.path).values())
    return [name for name in processes.COMPONENTS if name not in alive]


def _check_alive(folder: Folder) -> None:
    """Raise if a component that the others need was started and has exited."""
    # In this order, so that a component started between the two checks does not count as dead.
    started = {name: _pid(folder, name) for name in _FATAL}
    alive = set(processes.below(folder.path).values())
    for name, pid in started.items():
        # A process that has not called exec yet is not found by its name.
        if pid is not None and name not in alive and not _is_running(pid):
            raise _DiedError(name, failure_reasons.find(folder.log(name)))


def _is_running(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _pid(folder: Folder, name: str) -> int | None:
    text = _read(folder.state / "pids" / f"{name}.pid") or ""
    return int(text) if text.strip().isdigit() else None


async def _kwokctl(
    folder: Folder, binaries: Path, modules: Mapping[str, Path], deadline: float
) -> None:
    """Run `kwokctl create cluster`, which starts missing components, and watch for failures."""
    if folder.state.exists():
        processes.forget_dead(folder.state)
    command = [str(binaries / "kwokctl"), "create", "cluster", "--name", KWOK_NAME]
    for document in configuration.documents(folder, modules):
        command += ["--config", str(document)]
    command += ["--kubeconfig", str(folder.kubeconfig)]
    environment = {
        "KWOK_WORKDIR": str(folder.work),
        "HOME": str(folder.path),
        "PATH": os.pathsep.join([str(binaries), os.environ.get("PATH", os.defpath)]),
        # No internet access: an unexpected download fails immediately.
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "127.0.0.1,localhost",
    }
    log = folder.path / "kwokctl.log"
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.5):
                    await asyncio.shield(process.wait())
            if process.returncode is not None:
                break
            await asyncio.to_thread(_check_alive, folder)
            if time.monotonic() > deadline:
                raise _DiedError("kube-apiserver", f"it did not answer within {TIMEOUT:.0f} s")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        await asyncio.to_thread(_check_alive, folder)
        raise ControlPlaneError(
            f"cluster {folder.key}: kwokctl failed: {failure_reasons.find(log)}; see {log}"
        )
