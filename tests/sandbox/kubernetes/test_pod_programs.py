"""Programs in place of pods: started, started again as a kubelet does, and ended whole."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import psutil
import pytest

from sandbox.kubernetes import processes
from sandbox.kubernetes.controllers.leaving_processes import LeavingProcesses
from sandbox.kubernetes.controllers.pod_process import PodProcess, Program
from sandbox.kubernetes.controllers.pod_programs import PodPrograms
from sandbox.kubernetes.controllers.reconcile_loop import reconcile_loop
from sandbox.kubernetes.controllers.restarts import FIRST, FORGOTTEN, LONGEST, Restarts
from sandbox.kubernetes.folder import Folder
from sandbox.kubernetes.specs import ClusterKey

NAME = "toy"
SHELL = Path("/bin/sh")


class Server:
    """The parts of an API server that are asked: objects by path, and events."""

    def __init__(self) -> None:
        self.objects: dict[str, Any] = {}
        self.events: list[Any] = []

    async def get(self, path: str) -> Any:
        return self.objects.get(path)

    async def request(self, _verb: str, _path: str, body: Any) -> None:
        self.events.append(body)


class Component:
    """Runs a shell script for each pod that it has."""

    def __init__(self, home: Path, script: str = "exec sleep 600", pause: float | None = None):
        self.folder = Folder(home, ClusterKey("p", "europe-west4", "main"))
        for folder in (self.folder.binaries, self.folder.log(NAME).parent):
            folder.mkdir(parents=True, exist_ok=True)
        self.server = Server()
        self.script = script
        self.pods: dict[str, Any] = {NAME: pod("u1")}
        self.programs = PodPrograms("toys", cast(Any, self.server), self.folder, prefixes=(NAME,))
        self._pause: Callable[[Any], float] | None = None if pause is None else lambda _: pause

    async def reconcile(self) -> float | None:
        await self.programs.retire(self.pods, self.pods.values(), pause=self._pause)
        for name, one in self.pods.items():
            await self.programs.keep(name, one, self._program)
        return 0.01

    async def _program(self, process: PodProcess) -> Program:
        arguments = ["-c", self.script, str(process.root)]
        return Program(binary=SHELL, arguments=arguments, calls_api_server=False)

    def running(self) -> list[psutil.Process]:
        found = [one for one, name in processes.below(self.folder.path).items() if name == NAME]
        own = {one.pid for one in found}
        # A shell that starts a command is there twice until the command is in its place.
        return [one for one in found if parent(one) not in {*own, None}]

    def start(self) -> None:
        self.programs.start(self.reconcile)
        self.programs.wake()


def parent(process: psutil.Process) -> int | None:
    """None for a process that has ended."""
    try:
        return process.ppid()
    except psutil.NoSuchProcess:
        return None


def pod(uid: str, **spec: Any) -> Any:
    containers = [{"name": "a", "image": "toy:1", **spec.pop("container", {})}]
    return {
        "metadata": {"namespace": "n", "name": NAME, "uid": uid},
        "spec": {"containers": containers, **spec},
    }


async def until(holds: Callable[[], Any]) -> Any:
    async with asyncio.timeout(60):
        while not (found := holds()):
            await asyncio.sleep(0.01)
        return found


def test_a_program_that_is_killed_comes_back_and_its_pod_says_why(tmp_path: Path) -> None:
    async def run() -> None:
        # It is its own process, by the link that it was started through.
        component = Component(tmp_path, "while :; do sleep 0.05; done")
        component.start()
        [first] = await until(component.running)
        first.send_signal(signal.SIGKILL)
        [second] = await until(lambda: [p for p in component.running() if p != first])
        assert second.pid != first.pid
        [event] = component.server.events
        assert event["reason"] == "BackOff"
        assert "it exited with -9" in event["message"]
        await component.programs.stop()
        assert not component.running()

    asyncio.run(run())


def test_what_an_earlier_daemon_left_is_ended(tmp_path: Path) -> None:
    async def run() -> None:
        earlier, later = (Component(tmp_path, "while :; do sleep 0.05; done") for _ in range(2))
        await earlier.reconcile()  # once: it watches no more
        [left] = await until(earlier.running)
        later.start()
        [own] = await until(lambda: [p for p in later.running() if p != left])
        await until(lambda: not left.is_running() or left.status() == psutil.STATUS_ZOMBIE)
        assert own.is_running()
        for one in (earlier, later):
            await one.programs.stop()
        assert not later.running()

    asyncio.run(run())


def test_a_program_waits_for_what_its_pod_mounts(tmp_path: Path) -> None:
    volumes = [{"name": "v", "configMap": {"name": "settings"}}]
    mounts = {"volumeMounts": [{"name": "v", "mountPath": "/etc/toy"}]}

    async def run() -> None:
        component = Component(tmp_path, 'cat "$0/etc/toy/word" > "$0/said"; exec sleep 600')
        component.pods[NAME] = pod("u1", volumes=volumes, container=mounts)
        for _ in range(3):
            await component.reconcile()
        assert NAME not in component.programs
        component.server.objects["/api/v1/namespaces/n/configmaps/settings"] = {
            "data": {"word": "hello"}
        }
        await component.reconcile()
        said = component.programs.root(NAME) / "said"
        assert await until(lambda: said.exists() and said.read_text()) == "hello"
        await component.programs.stop()

    asyncio.run(run())


@pytest.mark.parametrize("pause", [None, 0.0, 3600.0])
def test_a_deleted_pods_program_ends_after_its_pause(tmp_path: Path, pause: float | None) -> None:
    async def run() -> None:
        component = Component(tmp_path, "while :; do sleep 0.05; done", pause)
        component.start()
        await until(component.running)
        component.pods.clear()
        component.programs.wake()
        await until(lambda: NAME not in component.programs)
        if pause:
            assert component.running()
            await component.programs.stop()
            assert not component.running()
        else:
            await until(lambda: not component.running())
            await component.programs.stop()

    asyncio.run(run())


def test_another_pod_of_the_name_has_a_program_of_its_own(tmp_path: Path) -> None:
    async def run() -> None:
        component = Component(tmp_path, "while :; do sleep 0.05; done")
        component.start()
        [first] = await until(component.running)
        component.pods[NAME] = pod("u2")
        [second] = await until(lambda: [p for p in component.running() if p != first])
        assert second != first
        assert component.server.events == []  # nothing failed
        await component.programs.stop()

    asyncio.run(run())


def test_pauses_between_restarts_are_a_kubelets() -> None:
    restarts, now, pauses = Restarts(), 1000.0, []
    for _ in range(8):
        restarts.ended("u", now)
        pause = 0.0
        while not restarts.is_due("u", now + pause):
            pause += 0.5
        pauses.append(pause)
        now += pause
    assert pauses == [0, FIRST, 2, 4, 8, 16, LONGEST, LONGEST]
    assert restarts.is_due("other", now)
    now += FORGOTTEN + 1
    restarts.ended("u", now)
    assert restarts.is_due("u", now)


def test_nobody_is_left_of_those_that_leave(tmp_path: Path) -> None:
    leaving = LeavingProcesses()
    leaving.add(PodProcess(NAME, Folder(tmp_path, ClusterKey("p", "l", "m")), tmp_path), 3600)
    assert leaving
    asyncio.run(leaving.end())  # it does not run, so it has no callers
    assert not leaving


def test_a_failure_is_logged_once_for_each_state(caplog: pytest.LogCaptureFixture) -> None:
    answers = iter(["no disk", "no disk", None, "no disk", "no net", "no net"])
    done = asyncio.Event()

    async def once() -> float | None:
        try:
            answer = next(answers)
        except StopIteration:
            done.set()
            return None
        wake.set()
        if answer:
            raise OSError(answer)
        return None

    wake = asyncio.Event()

    async def run() -> None:
        wake.set()
        task = asyncio.create_task(reconcile_loop("toys", wake, once, settle=0))
        async with asyncio.timeout(60):
            await done.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    with caplog.at_level("INFO", "sandbox.kubernetes.controllers"):
        asyncio.run(run())
    said = [one.getMessage().removesuffix("; again every 2 s") for one in caplog.records]
    assert said == ["toys: no disk", "toys: no disk", "toys: no net"]
