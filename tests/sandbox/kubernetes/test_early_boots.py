"""Control planes that boot before their clusters are asked for; no process is started."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.gcp.app import create_app
from sandbox.kubernetes import boot, control_planes, defaults, processes
from sandbox.kubernetes.control_planes import ClusterKey, ControlPlaneError, ControlPlanes
from sandbox.kubernetes.folder import Folder, Settings
from sandbox.kubernetes.processes import COMPONENTS

CLUSTER = ClusterKey("acme-dev", "europe-west4", "main")
RANGE = "10.80.0.0/20"


class Machine:
    """Stands in for the processes: which folders' components run, and each range that booted."""

    def __init__(self) -> None:
        self.running: set[Path] = set()
        self.booted: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.failures = 0

    async def bring_up(self, folder: Folder, settings: Settings, **_: Any) -> Settings:
        assert not folder.is_complete()
        assert folder.path not in self.running
        self.booted.append(settings.service_cidr)
        folder.path.mkdir(parents=True)
        await self.gate.wait()
        if self.failures:
            self.failures -= 1
            raise ControlPlaneError("etcd does not start")
        settings.ports = {"api": 20000 + len(self.booted)}
        (folder.state / "pki").mkdir(parents=True)
        (folder.state / "pki" / "ca.crt").write_text("a certificate")
        self.running.add(folder.path)
        return settings

    def below(self, folder: Path) -> dict[int, str]:
        return dict(enumerate(COMPONENTS)) if folder in self.running else {}

    def end_all(self, folder: Path) -> int:
        self.running.discard(folder)
        return 0


Run = Callable[[Callable[[ControlPlanes, Machine], Coroutine[Any, Any, None]]], None]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a test's coroutine with control planes whose processes are pretended."""

    def started(test: Callable[[ControlPlanes, Machine], Coroutine[Any, Any, None]]) -> None:
        async def main() -> None:
            machine = Machine()
            monkeypatch.setattr(boot, "bring_up", machine.bring_up)
            monkeypatch.setattr(defaults, "apply", nothing)
            monkeypatch.setattr(control_planes, "ApiServer", Server)
            monkeypatch.setattr(processes, "below", machine.below)
            monkeypatch.setattr(processes, "end_all", machine.end_all)
            planes = ControlPlanes(
                tmp_path, binaries=tmp_path, token="t", modules={}, api=lambda: ""
            )
            await test(planes, machine)

        asyncio.run(main())

    return started


async def nothing(_: Any) -> None: ...


class Server:
    def __init__(self, port: int, **_: Any) -> None:
        self.port = port

    async def close(self) -> None: ...


async def created(planes: ControlPlanes, service_cidr: str = RANGE) -> str:
    made = await planes.create(CLUSTER, version="1.36.0", service_cidr=service_cidr)
    return made.address


def test_a_cluster_takes_the_control_plane_that_booted_early(run: Run) -> None:
    async def test(planes: ControlPlanes, machine: Machine) -> None:
        planes.expect(CLUSTER, service_cidr=RANGE)
        planes.expect(CLUSTER, service_cidr=RANGE)
        assert await created(planes) == "127.0.0.1:20001"
        assert machine.booted == [RANGE]
        assert planes.clusters() == [CLUSTER]
        assert planes.expected() == []
        planes.expect(CLUSTER, service_cidr=RANGE)
        assert planes.expected() == []

    run(test)


def test_another_range_of_services_boots_anew(run: Run) -> None:
    async def test(planes: ControlPlanes, machine: Machine) -> None:
        planes.expect(CLUSTER, service_cidr=RANGE)
        while not machine.running:
            await asyncio.sleep(0)
        assert await created(planes, "10.96.0.0/20") == "127.0.0.1:20002"
        assert machine.booted == [RANGE, "10.96.0.0/20"]

    run(test)


def test_a_cluster_waits_for_a_boot_that_is_under_way(run: Run) -> None:
    async def test(planes: ControlPlanes, machine: Machine) -> None:
        machine.gate.clear()
        planes.expect(CLUSTER, service_cidr=RANGE)
        making = asyncio.ensure_future(created(planes))
        await asyncio.sleep(0.05)
        assert not making.done()
        machine.gate.set()
        assert await making == "127.0.0.1:20001"

    run(test)


def test_a_failed_early_boot_is_tried_again(run: Run) -> None:
    async def test(planes: ControlPlanes, machine: Machine) -> None:
        machine.failures = 1
        planes.expect(CLUSTER, service_cidr=RANGE)
        assert await created(planes) == "127.0.0.1:20002"

    run(test)


def test_a_control_plane_that_died_meanwhile_is_booted_anew(run: Run) -> None:
    async def test(planes: ControlPlanes, machine: Machine) -> None:
        planes.expect(CLUSTER, service_cidr=RANGE)
        while not machine.running:
            await asyncio.sleep(0)
        machine.running.clear()
        assert await created(planes) == "127.0.0.1:20002"

    run(test)


@pytest.mark.parametrize("is_booted", [True, False])
def test_what_nobody_asks_for_is_ended(run: Run, is_booted: bool) -> None:
    async def test(planes: ControlPlanes, machine: Machine) -> None:
        if not is_booted:
            machine.gate.clear()
        planes.expect(CLUSTER, service_cidr=RANGE)
        while not (machine.running if is_booted else machine.booted):
            await asyncio.sleep(0)
        await planes.unexpect(CLUSTER)
        assert (machine.running, planes.expected()) == (set(), [])
        assert not list(planes._clusters.glob("*"))

    run(test)


def test_a_control_plane_waits_for_its_patience_only(run: Run) -> None:
    async def test(planes: ControlPlanes, machine: Machine) -> None:
        planes.expect(CLUSTER, service_cidr=RANGE, patience=0)
        while planes.expected() or machine.running:
            await asyncio.sleep(0.001)
        assert not list(planes._clusters.glob("*"))
        await created(planes)
        assert machine.running

    run(test)


def test_the_end_of_the_daemon_ends_what_nobody_asked_for(run: Run) -> None:
    async def test(planes: ControlPlanes, machine: Machine) -> None:
        other = ClusterKey("acme-dev", "europe-west4", "other")
        await created(planes)
        planes.expect(other, service_cidr=RANGE)
        while len(machine.running) < 2:
            await asyncio.sleep(0)
        await planes.close()
        assert {path.name for path in machine.running} == {str(CLUSTER)}

    run(test)


def test_a_rehearsal_says_which_cluster_it_expects(run: Run) -> None:
    async def test(planes: ControlPlanes, machine: Machine) -> None:
        app = create_app(None, planes)
        await app.start()
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as client:
            path = "/sandbox/v1/expected-cluster"
            key = {"project": "acme-dev", "location": "europe-west4", "name": "main"}
            assert (await client.put(path, json={**key, "serviceCidr": RANGE})).is_success
            assert planes.expected() == [CLUSTER]
            while not machine.running:
                await asyncio.sleep(0)
            assert (await client.delete(path)).is_success
            assert (planes.expected(), machine.running) == ([], set())
        await app.stop()

    run(test)
