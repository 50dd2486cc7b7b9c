"""A pod's life: its servers start, load, and end as the kubelet ends a pod.

The kubelet runs the preStop hooks, then sends SIGTERM, and kills what is left when the grace period
is over; a container whose hook used the period up has 2 s more (`minimumGracePeriodInSeconds` of
the kubelet). Restartable init containers end after the others.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from sandbox.traffic.dial_plan import Listener
from sandbox.traffic.model_servers import pods
from sandbox.traffic.model_servers.load import Settings
from sandbox.traffic.model_servers.pods import Container, Hook, Pod
from sandbox.traffic.model_servers.server_process import ServerProcess

_log = logging.getLogger("sandbox.traffic.model_servers")
LEAST_GRACE = 2.0
_FRESH = 3.0
"""Seconds after its start within which a pod counts as just started: its time has whole seconds."""


class PodLife:
    """The servers of one pod."""

    def __init__(
        self,
        pod: Pod,
        *,
        changed: Callable[[], None],
        settings: Callable[[Pod], Settings],
    ) -> None:
        """`changed` is called when a server starts or ends; `settings` are those of a pod now."""
        self.pod = pod
        self._changed = changed
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self.processes: dict[str, ServerProcess] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._ending: asyncio.Task[None] | None = None
        self._grace = 0.0
        self._adapters: Mapping[str, str] | None = None
        self._crashed: dict[str, ServerProcess] = {}
        """The last process that has crashed, by container."""
        self.update(pod)

    @property
    def is_over(self) -> bool:
        """Whether its end has come, and nothing of it is left."""
        return self._ending is not None and self._ending.done() and not self.processes

    @property
    def is_ending(self) -> bool:
        """Whether its end has begun."""
        return self._ending is not None

    def listeners(self, project: str, cluster: str) -> list[Listener]:
        """Where its ports are reached; those of a crashed server refuse connections."""
        pod = self.pod
        processes = self._crashed | self.processes
        return [
            Listener(
                project=project,
                cluster=cluster,
                namespace=pod.namespace,
                pod=pod.name,
                node=pod.node,
                zone=pod.zone,
                address=pod.address,
                port=port,
                listens=listens,
            )
            for process in processes.values()
            for port, listens in process.listens.items()
        ]

    def update(self, pod: Pod) -> None:
        """Follow the pod's object."""
        moved = (pod.zone, pod.address, pod.node) != (
            self.pod.zone,
            self.pod.address,
            self.pod.node,
        )
        self.pod = pod
        for container in pod.containers:
            self._follow(container)
        if moved:
            self._changed()
        if pod.is_terminating:
            self.end(pod.grace_seconds)

    def set_adapters(self, adapters: Mapping[str, str]) -> None:
        """Take over the LoRA adapters that its list has now, by name, with their folders."""
        if adapters == self._adapters:
            return
        self._adapters = adapters
        for process in self.processes.values():
            process.set_adapters(adapters)

    def refresh(self) -> None:
        """Apply settings that changed."""
        for process in self.processes.values():
            process.update(self.pod, self._settings(self.pod))

    def end(self, grace: float) -> None:
        """End as the kubelet does, in `grace` seconds at most; 0: at once.

        A second deletion may shorten the time. To 0 it is the kubelet's own, which says that the
        pod has ended: KWOK makes it at once, and the servers here are not done.
        """
        if self._ending is None:
            self._grace = grace
            if grace <= 0:
                self.kill()
            else:
                self._ending = self._loop.create_task(self._end(grace))
        elif 0 < grace < self._grace:
            self._grace = grace
            self._loop.call_later(grace, self.kill)

    def kill(self) -> None:
        """End at once."""
        for process in list(self.processes.values()):
            process.kill()
        if self._ending is None:
            self._ending = self._loop.create_task(asyncio.sleep(0))

    def crash(self) -> None:
        """End the servers at once. Each begins again once its container has a later start."""
        for name, process in list(self.processes.items()):
            self._crashed[name] = process
            process.kill()

    def _follow(self, container: Container) -> None:
        name = container.server.container
        process = self.processes.get(name)
        if process is not None and process.started != container.started:
            # It crashed, or was started again.
            process.kill()
            process = None
        if process is None:
            if container.started is None or self._ending is not None:
                return
            crashed = self._crashed.get(name)
            if crashed is not None and crashed.started == container.started:
                return  # the kubelet has not started it again yet
            try:
                process = ServerProcess(self.pod, container, lambda: self._gone(name))
            except OSError as error:
                _log.error("pod %s has no port: %s", self.pod.name, error)
                return
            self.processes[name] = process
            if self._adapters is not None:
                process.set_adapters(self._adapters)
            self._changed()
        process.update(self.pod, self._settings(self.pod))
        self._load(process, container)

    def _load(self, process: ServerProcess, container: Container) -> None:
        name = container.server.container
        if timer := self._timers.pop(name, None):
            timer.cancel()
        if not container.is_ready:
            process.set_loaded(False)
            return
        if process.is_loaded:
            return
        age = pods.age(container.started or "", datetime.now(UTC))
        seen = self._loop.time() - process.born
        wait = self.pod.startup_seconds - (age if age > _FRESH + seen else seen)
        if wait <= 0:
            process.set_loaded(True)
            return
        process.set_loaded(False)
        self._timers[name] = self._loop.call_later(wait, process.set_loaded, True)

    def _gone(self, name: str) -> None:
        self.processes.pop(name, None)
        if timer := self._timers.pop(name, None):
            timer.cancel()
        self._changed()

    async def _end(self, grace: float) -> None:
        began = self._loop.time()
        hooks = {one.server.container: one.hook for one in self.pod.containers}
        try:
            for sidecars in (False, True):
                left = grace - (self._loop.time() - began)
                await asyncio.gather(
                    *(
                        self._end_process(process, hooks.get(name, Hook()), left)
                        for name, process in list(self.processes.items())
                        if process.server.is_sidecar == sidecars
                    )
                )
        finally:
            for process in list(self.processes.values()):
                process.kill()

    async def _end_process(self, process: ServerProcess, hook: Hook, grace: float) -> None:
        began = self._loop.time()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(grace, 0)):
                await self._run(hook, process)
        left = max(grace - (self._loop.time() - began), LEAST_GRACE)
        try:
            async with asyncio.timeout(left):
                await process.terminate()
        except TimeoutError:
            process.kill()

    async def _run(self, hook: Hook, process: ServerProcess) -> None:
        """Run a preStop hook. One that fails is reported by the kubelet and changes nothing."""
        waits = asyncio.create_task(process.over.wait())
        try:
            await asyncio.wait([waits], timeout=hook.seconds)
        finally:
            waits.cancel()
        listens = self._reached(hook.port)
        if listens is not None:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", listens)
                writer.write(
                    f"GET {hook.path} HTTP/1.1\r\nhost: {self.pod.address}:{hook.port}\r\n"
                    "user-agent: kube-lifecycle/1.36\r\nconnection: close\r\n\r\n".encode()
                )
                await reader.read()
                writer.close()

    def _reached(self, port: int | None) -> int | None:
        for process in self.processes.values():
            if port in process.listens:
                return process.listens[port]
        return None
