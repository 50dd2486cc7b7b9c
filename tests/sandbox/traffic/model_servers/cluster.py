"""Pods as the API server has them, and a fleet of model servers that follows them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import uvloop

from sandbox.kubernetes.specs import ClusterKey
from sandbox.traffic.dial_plan import DialPlan
from sandbox.traffic.model_servers.fleet import Fleet

Json = dict[str, Any]
KEY = ClusterKey("acme", "europe-west4", "main")
ZONES = {"node-1": "europe-west4-a"}
ADDRESS = "10.64.1.7"

TENSORFLOW: Json = {
    "name": "resnet",
    "image": "tensorflow/serving:2.20.0",
    "command": ["tensorflow_model_server"],
    "args": ["--model_name=resnet", "--rest_api_port=8501", "--port=8500"],
    "ports": [{"containerPort": 8501}, {"containerPort": 8500}],
}
TRITON: Json = {
    "name": "segmenter",
    "image": "nvcr.io/nvidia/tritonserver:26.10-py3",
    "command": ["tritonserver"],
    "args": ["--model-control-mode=explicit", "--load-model=segmenter", "--exit-timeout-secs=1"],
}
VLLM: Json = {
    "name": "chat",
    "image": "vllm/vllm-openai:v0.33.0",
    "command": ["vllm", "serve"],
    "args": ["/models/chat", "--served-model-name=chat", "--port=8000", "--shutdown-timeout=5"],
}
MLSERVER: Json = {
    "name": "fraud",
    "image": "seldonio/mlserver:1.7.1",
    "command": ["mlserver"],
    "args": ["start", "/models"],
    "env": [{"name": "MLSERVER_MODEL_NAME", "value": "fraud"}],
}
CUSTOM: Json = {
    "name": "web",
    "image": "registry.example/acme/web:7",
    "ports": [{"containerPort": 8080}],
    "livenessProbe": {"httpGet": {"path": "/alive", "port": 8080}},
    "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}},
}


def pod(
    *containers: Json,
    name: str = "pod-1",
    annotations: Json | None = None,
    labels: Json | None = None,
    grace: int = 30,
    ready: bool = True,
    running: bool = True,
    **spec: Any,
) -> Json:
    """A pod that runs."""
    state = {"running": {"startedAt": "2026-01-01T00:00:00Z"}} if running else {"waiting": {}}
    return {
        "metadata": {
            "name": name,
            "namespace": "models",
            "uid": f"uid-of-{name}",
            "annotations": annotations or {},
            "labels": labels or {},
        },
        "spec": {
            "nodeName": "node-1",
            "terminationGracePeriodSeconds": grace,
            "containers": list(containers),
            **spec,
        },
        "status": {
            "phase": "Running",
            "podIP": ADDRESS,
            "containerStatuses": [
                {"name": one["name"], "ready": ready and running, "state": state}
                for one in containers
            ],
        },
    }


def deleted(item: Json, *, grace: int) -> Json:
    """The pod once its deletion has begun."""
    metadata = {
        **item["metadata"],
        "deletionTimestamp": "2026-01-01T00:00:01Z",
        "deletionGracePeriodSeconds": grace,
    }
    return {**item, "metadata": metadata}


class Servers:
    """A fleet, and the dial plan that it wrote last."""

    def __init__(self) -> None:
        self.plans: list[DialPlan] = []
        self.fleet = Fleet(self.plans.append)

    def show(self, *items: Json, missed: bool = False) -> None:
        """Show it the pods of the cluster."""
        self.fleet.follow(KEY, items, ZONES, missed=missed)
        self.fleet.flush()

    def port(self, port: int) -> int | None:
        """The loopback port of the pod's port."""
        self.fleet.flush()
        return self.plans[-1].port("acme", ADDRESS, port) if self.plans else None

    async def ask(
        self, port: int, target: str, body: str | bytes | None = None, *, method: str = ""
    ) -> tuple[int, dict[str, str], bytes]:
        """Send one request on a connection of its own: status, headers and body."""
        listens = self.port(port)
        assert listens is not None, f"nothing in the dial plan for {port}"
        caller = await Caller.connect(listens)
        try:
            await caller.send(target, body, method=method)
            return await caller.answer(is_head=method == "HEAD")
        finally:
            caller.close()


class Caller:
    """A connection of HTTP/1.1 to a model server. What a test leaves open is closed after it."""

    left: ClassVar[list[Caller]] = []

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def connect(cls, listens: int) -> Caller:
        one = cls(*await asyncio.open_connection("127.0.0.1", listens))
        cls.left.append(one)
        return one

    async def send(self, target: str, body: str | bytes | None = None, *, method: str = "") -> None:
        data = body.encode() if isinstance(body, str) else body
        verb = method or ("GET" if data is None else "POST")
        length = "" if data is None else f"content-length: {len(data)}\r\n"
        self.writer.write(f"{verb} {target} HTTP/1.1\r\nhost: x\r\n{length}\r\n".encode())
        self.writer.write(data or b"")
        await self.writer.drain()

    async def answer(self, *, is_head: bool = False) -> tuple[int, dict[str, str], bytes]:
        async with asyncio.timeout(60):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.strip().split("\r\n")
            headers = dict(line.split(": ", 1) for line in lines if ": " in line)
            headers |= {line[:-1]: "" for line in lines if line.endswith(":")}
            body = b""
            if headers.get("transfer-encoding") == "chunked":
                while size := int(await self.reader.readline(), 16):
                    body += (await self.reader.readexactly(size + 2))[:-2]
                await self.reader.readline()
            elif not is_head:
                body = await self.reader.readexactly(int(headers.get("content-length", 0)))
            return int(first.split()[1]), headers, body

    async def is_closed(self) -> bool:
        """Whether the server closes the connection, by an end or a reset."""
        try:
            async with asyncio.timeout(60):
                return await self.reader.read(1) == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        self.writer.transport.abort()


def with_servers(test: Callable[[Servers], Awaitable[None]]) -> None:
    """Run a test on the loop that the process uses, and end all servers after it."""

    @asynccontextmanager
    async def running() -> AsyncIterator[Servers]:
        servers = Servers()
        try:
            yield servers
        finally:
            servers.fleet.close()
            while Caller.left:
                Caller.left.pop().close()
            await asyncio.sleep(0.01)

    async def run() -> None:
        async with running() as servers:
            await test(servers)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.005)
