"""A control plane and an emulated compute API, in their own event loop."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
import uvicorn

from sandbox import engine
from sandbox.gcp.app import App, create_app
from sandbox.gcp.services.container import versions
from sandbox.kubernetes.api_server import SERVER_SIDE_APPLY, ApiServer
from sandbox.kubernetes.control_planes import ClusterKey, ControlPlanes, Endpoint, NodeSpec
from sandbox.kubernetes.features import Features
from sandbox.kubernetes.folder import Folder

T = TypeVar("T")
TOKEN = "a-token-of-the-tests"
PROJECT = "acme-dev"
CLUSTER = ClusterKey(PROJECT, "europe-west4", "main")
NETWORK = f"projects/{PROJECT}/global/networks/default"
VERSION = versions.CHANNELS["REGULAR"].default


class Loop:
    """An event loop in a thread: what it runs goes on between a test's lines."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T], patience: float = 120) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(patience)

    def begin(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def close(self) -> None:
        self.run(_settled())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _settled() -> None:
    """End what still runs, and let connections close; a loop that stops at once leaves them."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()
    await asyncio.sleep(0.2)


@dataclass
class Sandbox:
    """One control plane with what stands around it."""

    loop: Loop
    home: Path
    api: str
    planes: ControlPlanes
    cluster: ClusterKey = CLUSTER
    endpoint: Endpoint | None = None
    state: Any = None
    """The emulator's, `sandbox.gcp.service.State`."""
    http: httpx.Client = field(
        default_factory=lambda: httpx.Client(
            headers={"Authorization": "Bearer t"}, trust_env=False, timeout=30
        )
    )

    @property
    def folder(self) -> Folder:
        return Folder(self.home / "clusters" / str(self.cluster), self.cluster)

    def compute(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.http.request(
            method, f"{self.api}/compute/v1/projects/{PROJECT}/{path}", json=body
        )
        return answer.json() if answer.status_code < 400 else None

    def kube(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        async def once() -> Any:
            server = ApiServer(
                int(self.folder.load().ports["api"]),
                ca=self.folder.state / "pki" / "ca.crt",
                token=TOKEN,
                agent="tests",
            )
            try:
                return await server.request(method, path, body, **options)
            finally:
                await server.close()

        return self.loop.run(once())

    def nodes(self, pool: str, *specs: NodeSpec) -> None:
        self.loop.run(self.planes.set_nodes(self.cluster, pool, specs))

    def apply(self, path: str, body: Any) -> None:
        """Server-side apply, below the collection's path."""
        self.kube(
            "PATCH",
            f"{path}/{body['metadata']['name']}",
            body,
            params={"fieldManager": "tests", "force": "true"},
            content_type=SERVER_SIDE_APPLY,
        )

    def items(self, path: str) -> list[Any]:
        return list(self.kube("GET", path)["items"])


def node(zone: str, index: int = 0, **more: Any) -> NodeSpec:
    facts: dict[str, Any] = {
        "name": f"gke-main-general-{zone}-{index}",
        "zone": f"europe-west4-{zone}",
        "region": "europe-west4",
        "machine_type": "n2-standard-4",
        "cpu": "4",
        "memory": "16393244Ki",
        "allocatable_cpu": "3920m",
    }
    return NodeSpec(**(facts | more))


def eventually(look: Callable[[], T], patience: float = 120.0) -> T:
    """Return the first answer that is true; the last one where none is."""
    deadline = time.monotonic() + patience
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def deployment(name: str, replicas: int, annotations: Mapping[str, str] | None = None) -> Any:
    container = {
        "name": "server",
        "image": "tensorflow/serving:2.19.0",
        "ports": [{"containerPort": 8501}],
        "resources": {"requests": {"cpu": "100m"}},
    }
    spread = {
        "maxSkew": 1,
        "topologyKey": "topology.kubernetes.io/zone",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": name}},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}, "annotations": dict(annotations or {})},
                "spec": {"containers": [container], "topologySpreadConstraints": [spread]},
            },
        },
    }


@contextmanager
def running(
    home: Path,
    app: Callable[[Path, ControlPlanes], App],
    *,
    cluster: ClusterKey = CLUSTER,
    nodes: Iterable[NodeSpec],
    features: Features,
) -> Iterator[Sandbox]:
    """A cluster with its controllers, and the emulated API that `app` makes of the state's path."""
    tools = engine.ensure()
    loop = Loop()
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    api = f"http://127.0.0.1:{listener.getsockname()[1]}"
    planes = ControlPlanes(
        home, binaries=tools.binaries, token=TOKEN, modules=tools.modules, api=lambda: api
    )

    async def emulator() -> uvicorn.Server:
        made = app(home / "state.sqlite", planes)
        found.state = made.state
        return uvicorn.Server(uvicorn.Config(made, log_config=None, lifespan="on"))

    found = Sandbox(loop, home, api, planes, cluster)
    server = loop.run(emulator())
    serving = loop.begin(server.serve([listener]))

    async def expect() -> None:
        planes.expect(cluster)

    try:
        loop.run(expect())  # as a rehearsal does
        found.endpoint = loop.run(planes.create(cluster, version=VERSION))
        found.nodes("general", *nodes)
        loop.run(
            planes.start_controllers(cluster, network=NETWORK, subnetwork="", features=features)
        )
        yield found
    finally:
        loop.run(planes.delete(cluster))
        loop.run(planes.close())
        server.should_exit = True
        serving.result(20)
        listener.close()
        found.http.close()
        loop.close()


@contextmanager
def two_zones(home: Path) -> Iterator[Sandbox]:
    """A cluster with two zones of two nodes, its controllers, and the emulated compute API."""

    def emulator(state: Path, _: ControlPlanes) -> App:
        app = create_app(state)
        app.state.enforce_enabled_services = False
        return app

    with running(
        home,
        emulator,
        nodes=[node(zone, index) for zone in "ab" for index in range(2)],
        features=Features(gateway_api=True),
    ) as found:
        yield found


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A cluster of `two_zones` for the tests of a module."""
    with two_zones(tmp_path_factory.mktemp("home")) as found:
        yield found
