"""The programs of a component that run in place of its pods: started, watched and ended here.

The component says what runs for a pod, with a `Program`. What is alike stands here: mounts, the
account's token, the log, restarts as a kubelet has them, and the end of an earlier daemon's.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Iterable
from pathlib import Path
from typing import Any, Protocol

import psutil

from sandbox import tasks
from sandbox.engine import build, tools
from sandbox.kubernetes import processes
from sandbox.kubernetes.api_server import ApiServer
from sandbox.kubernetes.controllers import pod_mounts
from sandbox.kubernetes.controllers.events import Events
from sandbox.kubernetes.controllers.leaving_processes import GRACE, LeavingProcesses
from sandbox.kubernetes.controllers.pod_process import PodProcess, Program
from sandbox.kubernetes.controllers.reconcile_loop import reconcile_loop
from sandbox.kubernetes.controllers.restarts import Restarts
from sandbox.kubernetes.folder import Folder

_log = logging.getLogger("sandbox.kubernetes.controllers")
Json = dict[str, Any]
Describe = Callable[[PodProcess], Awaitable[Program | None]]
"""Says what to run, and notes the process's ports; None where something is still missing."""
_MOUNTS = 2.0
"""Seconds between two looks at what a pod mounts."""
_SETTLE, _LEAVING = 0.05, 0.5


class RunsPrograms(Protocol):
    """A component that runs programs."""

    wake: Callable[[], None]
    """Notes that pods changed."""

    def start(self) -> None:
        """Start the component."""

    async def stop(self) -> None:
        """End its programs."""


class PodPrograms:
    """The programs of one component in one cluster, by the names of their processes."""

    def __init__(
        self, component: str, server: ApiServer, folder: Folder, *, prefixes: tuple[str, ...]
    ) -> None:
        """`prefixes` are how the names of its processes begin, and of no other's."""
        self._component = component
        self._server = server
        self._folder = folder
        self._prefixes = prefixes
        self._events = Events(server, "kubelet", kind="Pod")
        self._running: dict[str, PodProcess] = {}
        self._pods: dict[str, Json] = {}
        """The pod of each of them, as it was when it was last kept."""
        self._leaving = LeavingProcesses()
        self._restarts = Restarts()
        self._mounted: dict[str, tuple[str, float]] = {}
        """For which pod and when everything that it mounts was last written, by name."""
        self._entries: dict[str, Path] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """Note that pods changed."""
        self._wake.set()

    def start(self, reconcile: Callable[[], Awaitable[float | None]]) -> None:
        """Call `reconcile` after changes, and after the seconds that it returned."""
        self._task = asyncio.create_task(self._run(reconcile))

    async def _run(self, reconcile: Callable[[], Awaitable[float | None]]) -> None:
        await asyncio.to_thread(self._end_others)

        async def once() -> float | None:
            await self._leaving.end()
            again = await reconcile()
            return _LEAVING if again is None and self._leaving else again

        await reconcile_loop(self._component, self._wake, once, settle=_SETTLE)

    async def stop(self) -> None:
        """End the programs at once. Objects that they created stay."""
        await tasks.end([self._task])
        await self._leaving.kill()
        for process in self._running.values():
            await asyncio.to_thread(process.stop)
        self._running.clear()

    def __contains__(self, name: str) -> bool:
        return name in self._running

    def root(self, name: str) -> Path:
        """The folder with the files of a pod."""
        return self._folder.path / "pods" / name

    async def binaries(self, tool_set: build.ToolSet, pod: Json) -> Path:
        """The folder of a tool set's binaries; the pod's events say that they are waited for."""
        if tool_set.name not in self._entries:
            if not tools.is_ready(tool_set):
                message = (
                    f"waiting for {tool_set.name} to be downloaded, or built in about "
                    f"{tool_set.minutes}; it happens once"
                )
                await self._events.record(pod, "Normal", "Pulling", message)
            entry = await asyncio.to_thread(tools.ensure, tool_set, _log.info)
            self._entries[tool_set.name] = entry / "bin"
        return self._entries[tool_set.name]

    async def mount(self, name: str, pod: Json) -> bool:
        """Write what a pod mounts, if that is due; whether it was, and all of it exists."""
        uid, now = pod["metadata"]["uid"], time.monotonic()
        before, at = self._mounted.get(name, ("", 0.0))
        if before == uid and now - at < _MOUNTS:
            return False
        if not await pod_mounts.write(self._server, pod, self.root(name)):
            return False
        self._mounted[name] = (uid, now)
        return True

    async def keep(self, name: str, pod: Json, describe: Describe) -> PodProcess | None:
        """Have a program run for a pod, which is restarted when it ends; None while none runs."""
        uid = pod["metadata"]["uid"]
        await self.mount(name, pod)
        process = self._running.get(name)
        if process is not None and process.pod != uid:
            await self.end(name)
        elif process is not None and (code := process.exit_code()) is not None:
            await self._ended(name, pod, process, code)
        self._pods[name] = pod
        if name in self._running:
            return self._running[name]
        is_mounted = self._mounted.get(name, ("", 0.0))[0] == uid
        if not is_mounted or not self._restarts.is_due(uid, time.monotonic()):
            return None
        process = PodProcess(name, self._folder, self.root(name))
        program = await describe(process)
        if program is None:
            return None
        await process.start(self._server, pod, program)
        self._running[name] = process
        return process

    async def _ended(self, name: str, pod: Json, process: PodProcess, code: int) -> None:
        if code:
            message = f"it exited with {code}; see {process.log}"
            _log.warning("%s: %s", name, message)
            await self._events.warn(pod, "BackOff", message)
        self._restarts.ended(process.pod, time.monotonic())
        await self.end(name)

    async def end(self, name: str) -> None:
        """End a program, if it runs; a leader gives up its lease when it is asked to end."""
        if process := self._running.pop(name, None):
            await asyncio.to_thread(process.stop, grace=GRACE)

    async def retire(
        self,
        wanted: Collection[str],
        pods: Iterable[Json] = (),
        *,
        pause: Callable[[Json], float] | None = None,
    ) -> list[str]:
        """End the programs of pods that are not wanted any more; their names.

        With `pause` they go on for as many seconds after their pod is deleted. `pods` are those
        that the API server has: one that is evicted in a hurry may have less.
        """
        retired = [name for name in self._running if name not in wanted]
        last = {pod["metadata"]["uid"]: pod for pod in pods} if retired else {}
        for name in retired:
            pod = self._pods.pop(name)
            self._restarts.forget(pod["metadata"]["uid"])
            if pause is None:
                await self.end(name)
            else:
                process = self._running.pop(name)
                self._leaving.add(process, pause(last.get(process.pod, pod)))
        return retired

    def _end_others(self) -> None:
        """Kill those that an earlier daemon left: they use ports that no longer exist."""
        for process, name in processes.below(self._folder.path).items():
            if name.startswith(self._prefixes):
                with contextlib.suppress(psutil.Error):
                    process.kill()
                    process.wait(5)
