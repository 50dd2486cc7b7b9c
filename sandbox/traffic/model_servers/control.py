"""The control of the model servers: HTTP on a loopback port, for the sandbox's own commands.

`GET /pods` lists the pods with their counters, `PUT /settings` adds a rule (`rules.Rule`),
`GET /settings` lists the rules, `DELETE /settings` drops them. `POST /kill` (`Killed`) ends servers
as SIGKILL does, `POST /cut` (`Cut`) resets connections of the load balancer. The port stands in
`model-servers.json` of the home's traffic folder.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from sandbox.traffic.model_servers.fleet import Fleet
from sandbox.traffic.model_servers.http_connection import HttpConnection
from sandbox.traffic.model_servers.load import Load, Settings
from sandbox.traffic.model_servers.messages import Answer, Request
from sandbox.traffic.model_servers.pod_life import PodLife
from sandbox.traffic.model_servers.rules import Rule


class Killed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The pods whose servers are killed. Their objects stay as they are: a kubelet changes them."""

    cluster: str
    """`project.location.name`."""
    namespace: str
    pods: tuple[str, ...]


class Cut(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The server whose connections from the load balancer are reset."""

    port: int
    """The port on 127.0.0.1."""


class Control:
    """The server of the control."""

    identity = b""
    closes = False

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self.load = Load(Settings(), asyncio.get_running_loop())
        self._connections: set[HttpConnection] = set()

    async def start(self) -> tuple[asyncio.Server, int]:
        """Listen on a free port; returns it."""
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(
            lambda: HttpConnection(self, 0, lambda connection, _data: connection.cut()),
            "127.0.0.1",
            0,
        )
        return listener, int(listener.sockets[0].getsockname()[1])

    def close(self) -> None:
        """End the connections."""
        for connection in list(self._connections):
            connection.cut()

    def speaks_http(self, port: int) -> bool:  # noqa: ARG002
        """Whether the port takes HTTP/1.1."""
        return True

    def connected(self, connection: HttpConnection) -> None:
        """Take note of a connection."""
        self._connections.add(connection)

    def disconnected(self, connection: HttpConnection) -> None:
        """Forget a connection."""
        self._connections.discard(connection)

    def answer(self, request: Request, port: int) -> Answer:  # noqa: ARG002, PLR0911
        """The answer to a request."""
        rules = self._fleet.rules
        match request.method, request.path:
            case "GET", "/pods":
                return Answer.of([_described(life) for life in self._lives()])
            case "GET", "/settings":
                return Answer.of(rules.all)
            case "PUT", "/settings":
                try:
                    rule = msgspec.json.decode(request.body, type=Rule)
                except msgspec.DecodeError as error:
                    return Answer.of({"error": str(error)}, 400)
                rules.add(rule)
                self._fleet.refresh()
                chosen = [one.pod.name for one in self._lives() if rule.selects(one.pod)]
                return Answer.of({"pods": chosen})
            case "POST", "/kill":
                return self._kill(request.body)
            case "POST", "/cut":
                return self._cut(request.body)
            case "DELETE", "/settings":
                rules.clear()
                self._fleet.refresh()
                return Answer.of({})
        return Answer.of({"error": f"{request.method} {request.path} is not known"}, 404)

    def _kill(self, body: bytes) -> Answer:
        """Kill the servers of pods; answers with those that had any."""
        try:
            killed = msgspec.json.decode(body, type=Killed)
        except msgspec.DecodeError as error:
            return Answer.of({"error": str(error)}, 400)
        found = []
        for life in self._lives():
            pod = life.pod
            is_meant = (pod.cluster, pod.namespace) == (killed.cluster, killed.namespace)
            if is_meant and pod.name in killed.pods and life.processes:
                found.append(pod.name)
                life.crash()
        return Answer.of({"pods": found})

    def _cut(self, body: bytes) -> Answer:
        """Reset what the load balancer waits for; answers with how many connections."""
        try:
            meant = msgspec.json.decode(body, type=Cut)
        except msgspec.DecodeError as error:
            return Answer.of({"error": str(error)}, 400)
        every = [process for life in self._lives() for process in life.processes.values()]
        return Answer.of({"connections": sum(one.cut_balanced(meant.port) for one in every)})

    def _lives(self) -> list[PodLife]:
        return [life for _, life in self._fleet.lives()]


def _described(life: PodLife) -> dict[str, Any]:
    pod = life.pod
    gpus = {one.server.container: one.gpus for one in pod.containers}
    return {
        "cluster": pod.cluster,
        "namespace": pod.namespace,
        "pod": pod.name,
        "workload": pod.workload,
        "node": pod.node,
        "zone": pod.zone,
        "address": pod.address,
        "version": pod.version,
        "isEnding": life.is_ending,
        "servers": [
            {
                "container": name,
                "kind": process.server.kind,
                "gpus": gpus.get(name, 0),
                "memoryShare": process.server.memory_share,
                "models": process.server.models,
                "words": process.server.words,
                "listens": {str(port): listens for port, listens in process.listens.items()},
                "isLoaded": process.is_loaded,
                "isTerminating": process.is_terminating,
                "connections": process.connections,
                "running": process.load.running,
                "waiting": process.load.waiting,
                "busySeconds": process.load.busy_seconds,
                "answered": sum(process.load.requests.values()),
                "failed": sum(
                    count
                    for (_, _, status), count in process.load.requests.items()
                    if status >= 400
                ),
                "settings": {
                    "latency": process.load.settings.latency,
                    "errorRate": process.load.settings.error_rate,
                    "concurrency": process.load.settings.concurrency,
                    "failingPaths": sorted(process.load.settings.failing_paths),
                },
            }
            for name, process in life.processes.items()
        ],
    }
