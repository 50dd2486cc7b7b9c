"""An emulator in memory, called over HTTP as a client would. Not a test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from sandbox.gcp.app import App, create_app
from sandbox.kubernetes.features import NONE, Features

PROJECT = "acme-dev-1"
Json = dict[str, Any]
_CONTAINER = "/container/v1beta1"


@dataclass
class Client:
    """One project's client."""

    http: httpx.AsyncClient
    app: App

    async def call(self, verb: str, path: str, body: Any = None, *, status: int = 200) -> Any:
        """Send a request and check the answer's status."""
        answer = await self.http.request(verb, path, json=body)
        assert answer.status_code == status, f"{verb} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def wait(self, operation: Json, *, version: str = "v1beta1") -> Json:
        """Wait for an operation of the container API."""
        where = operation["zone"]
        path = f"/container/{version}/projects/{PROJECT}/locations/{where}/operations"
        for _ in range(3000):
            found: Json = await self.call("GET", f"{path}/{operation['name']}")
            if found["status"] == "DONE":
                return found
            await asyncio.sleep(0.02)
        raise AssertionError(f"{operation['name']} is not done")

    def cluster(self, name: str = "", location: str = "us-central1-a") -> str:
        """The path of the clusters, or of one."""
        path = f"{_CONTAINER}/projects/{PROJECT}/locations/{location}/clusters"
        return f"{path}/{name}" if name else path

    async def make(self, location: str = "us-central1-a", **cluster: Any) -> Json:
        """Make a cluster and answer with it."""
        asked: Json = {"name": "main", "initialNodeCount": 1, **cluster}
        asked = {key: value for key, value in asked.items() if value is not None}
        operation = await self.call("POST", self.cluster(location=location), {"cluster": asked})
        done = await self.wait(operation)
        assert "error" not in done, done
        found: Json = await self.call("GET", self.cluster(asked["name"], location))
        return found

    async def refused(self, body: Json, *, location: str = "us-central1-a") -> str:
        """Make a cluster that is refused with 400; the message."""
        asked = {"name": "main", "initialNodeCount": 1} | body
        asked = {key: value for key, value in asked.items() if value is not None}
        path = self.cluster(location=location)
        answer = await self.call("POST", path, {"cluster": asked}, status=400)
        return str(answer["error"]["message"])


@asynccontextmanager
async def emulator(path: Path | None = None, control_planes: Any = None) -> AsyncIterator[Client]:
    """A started emulator; what it does beside requests ends with it."""
    app = create_app(path, control_planes)
    app.state.enforce_enabled_services = False
    await app.start()
    headers = {"Authorization": "Bearer any"}
    transport = httpx.ASGITransport(app)
    try:
        async with httpx.AsyncClient(
            transport=transport, base_url="http://sandbox", headers=headers
        ) as http:
            yield Client(http, app)
    finally:
        await app.stop()


@dataclass(frozen=True)
class _Endpoint:
    address: str
    ca_certificate: str


@dataclass
class PretendedControlPlanes:
    """Remembers what it was asked for; can be told to fail or to wait."""

    failure: str = ""
    gate: asyncio.Event | None = None
    calls: list[tuple[str, str]] = field(default_factory=list)
    nodes: dict[tuple[str, str], list[Any]] = field(default_factory=dict)
    scaling: dict[str, Any] = field(default_factory=dict)
    """Pool → its limits and groups; None where it keeps its size."""
    started: Features = NONE
    """Whether the controllers were last started with the Gateway API."""

    async def create(self, cluster: Any, **_: Any) -> _Endpoint:
        self.calls.append(("create", cluster.name))
        if self.gate is not None:
            await self.gate.wait()
        if self.failure:
            raise RuntimeError(self.failure)
        return _Endpoint("127.0.0.1:6443", "Q0E=")

    async def set_nodes(self, cluster: Any, pool: str, nodes: list[Any]) -> None:
        self.calls.append(("set_nodes", pool))
        self.nodes[cluster.name, pool] = list(nodes)

    def set_scaling(self, cluster: Any, pool: str, scaling: Any) -> None:
        self.scaling[pool] = scaling

    async def contents(self, cluster: Any) -> dict[str, dict[str, int]]:
        self.calls.append(("contents", cluster.name))
        return {
            "models": {"deployments": 2, "pods": 5, "secrets": 1, "persistentvolumeclaims": 1},
            "kube-system": {"pods": 3},
        }

    async def start_controllers(self, cluster: Any, *, features: Features, **_: Any) -> None:
        self.calls.append(("start_controllers", cluster.name))
        self.started = features

    def features(self, cluster: Any) -> Features:
        return self.started

    async def stop_controllers(self, cluster: Any) -> None:
        self.calls.append(("stop_controllers", cluster.name))

    async def delete(self, cluster: Any) -> None:
        self.calls.append(("delete", cluster.name))
