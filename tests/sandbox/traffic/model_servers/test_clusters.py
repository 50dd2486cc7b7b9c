"""Clusters may appear, come back on another port, stop answering, and go."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from sandbox.home import Home
from sandbox.kubernetes.folder import Folder, Settings
from sandbox.traffic.dial_plan import DialPlan
from sandbox.traffic.model_servers import clusters
from sandbox.traffic.model_servers.clusters import Clusters
from sandbox.traffic.model_servers.fleet import Fleet
from tests.sandbox.traffic.model_servers.cluster import CUSTOM, KEY, deleted, pod, until

Json = dict[str, Any]
NODE = {"metadata": {"name": "node-1", "labels": {"topology.kubernetes.io/zone": "europe-west4-b"}}}


class FakeApiServer:
    """What `ApiServer` answers: the pods by the port of the server, which may be away."""

    pods: ClassVar[dict[int, list[Json]]] = {}
    changes: ClassVar[dict[int, asyncio.Queue[Json]]] = {}

    def __init__(self, port: int, **_: Any) -> None:
        self.port = port

    async def close(self) -> None:
        pass

    async def list(self, path: str, params: Any = None) -> Json:
        if self.port not in self.pods:
            raise OSError("connection refused")
        items = self.pods[self.port] if path.endswith("pods") else [NODE]
        return {"items": items, "metadata": {"resourceVersion": "1"}}

    async def watch(
        self, path: str, _version: str, params: Any = None
    ) -> AsyncGenerator[Json, None]:
        if path.endswith("nodes"):
            await asyncio.Event().wait()
        while True:
            yield await self.changes[self.port].get()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setattr(clusters, "ApiServer", FakeApiServer)
    monkeypatch.setattr(clusters, "_PERIOD", 0.01)
    monkeypatch.setattr(FakeApiServer, "pods", {})
    monkeypatch.setattr(FakeApiServer, "changes", {})
    (tmp_path / "token").write_text("a-token\n")
    return Home(tmp_path)


def create(home: Home, port: int) -> Path:
    path = home.path / "clusters" / str(KEY)
    folder = Folder(path, KEY)
    certificate = folder.state / "pki" / "ca.crt"
    certificate.parent.mkdir(parents=True, exist_ok=True)
    certificate.touch()
    folder.save(Settings(version="1.36", ports={"api": port}))
    return path


def test_the_life_of_a_cluster(home: Home) -> None:
    async def run() -> None:
        plans: list[DialPlan] = [DialPlan()]
        fleet = Fleet(plans.append)
        task = asyncio.create_task(Clusters(home, fleet).run())
        try:
            FakeApiServer.pods[1] = [pod(CUSTOM, name="one")]
            FakeApiServer.changes[1] = asyncio.Queue()
            path = create(home, 1)
            await until(lambda: {one.pod for one in plans[-1].listeners} == {"one"})
            assert {one.zone for one in plans[-1].listeners} == {"europe-west4-b"}
            assert {one.cluster for one in plans[-1].listeners} == {str(KEY)}
            added = pod(CUSTOM, name="two")
            FakeApiServer.changes[1].put_nowait({"type": "ADDED", "object": added})
            await until(lambda: len(plans[-1].listeners) == 2)
            # Deleted by force, without an end: gone at once.
            FakeApiServer.changes[1].put_nowait({"type": "DELETED", "object": added})
            await until(lambda: len(plans[-1].listeners) == 1)
            # It comes back on another port, where one pod has come and the other has gone.
            FakeApiServer.changes[2] = asyncio.Queue()
            create(home, 2)
            await asyncio.sleep(0.05)
            assert len(plans[-1].listeners) == 1, "a cluster that does not answer keeps its pods"
            FakeApiServer.pods[2] = [pod(CUSTOM, name="three")]
            await until(lambda: {one.pod for one in plans[-1].listeners} == {"three"})
            ending = deleted(pod(CUSTOM, name="three"), grace=30)
            FakeApiServer.changes[2].put_nowait({"type": "MODIFIED", "object": ending})
            await until(lambda: not plans[-1].listeners)
            FakeApiServer.changes[2].put_nowait({"type": "ADDED", "object": added})
            await until(lambda: len(plans[-1].listeners) == 1)
            shutil.rmtree(path)
            await until(lambda: not plans[-1].listeners)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            fleet.close()
            await asyncio.sleep(0.01)

    asyncio.run(run())
