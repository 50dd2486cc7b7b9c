"""Simulates Patroni in the pods of Postgres clusters: leader election and REST API.

It does in Kubernetes what Patroni does, with the pod's own service account: it sets the role labels
of pods, the endpoints of the primary, and the cluster configuration. The REST API is served as an
HTTP proxy, since simulated pods have no reachable address. Postgres itself is not simulated.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

import httpx

from sandbox import tasks
from sandbox.kubernetes.api_server import MERGE_PATCH, ApiServer, ApiServerError
from sandbox.kubernetes.controllers import pod_status
from sandbox.kubernetes.controllers.pod_environment import environment

_log = logging.getLogger("sandbox.kubernetes.controllers")
Json = dict[str, Any]
CLUSTER, ROLE = "cluster-name", "spilo-role"
LABELS = {"application": "spilo"}
PRIMARY, REPLICA = "master", "replica"
PORT = 5432
_VERSION = "4.0.4"
_LOOP = 0.5  # seconds; a tenth of Patroni's own
_DEFAULTS: Json = {
    "ttl": 30,
    "loop_wait": 10,
    "retry_timeout": 10,
    "maximum_lag_on_failover": 33554432,
    "postgresql": {
        "use_pg_rewind": True,
        "use_slots": True,
        "parameters": {"hot_standby": "on", "max_connections": 100, "wal_level": "replica"},
    },
}


class Patroni:
    """Reconciles all Postgres clusters of one Kubernetes cluster."""

    def __init__(self, server: ApiServer, pods: Callable[[], list[Json]]) -> None:
        self._server = server
        self._pods = pods
        self._accounts: dict[tuple[str, str], ApiServer] = {}
        self._published: dict[str, str] = {}
        """Last written endpoints by cluster."""
        self._switching: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None

    async def start(self) -> int:
        """Start the proxy and return its port."""
        self._listener = await asyncio.start_server(self._serve_connection, "127.0.0.1", 0)
        return int(self._listener.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop the proxy."""
        if self._listener is not None:
            self._listener.close()
        await tasks.end(self._switching)
        for client in self._accounts.values():
            await client.close()
        self._accounts.clear()

    async def reconcile(self) -> None:
        """Ensure one primary per cluster, and the role label of each pod."""
        clusters: dict[tuple[str, str], list[Json]] = {}
        for pod in self._pods():
            if _is_postgres(pod):
                key = (pod["metadata"]["namespace"], pod["metadata"]["labels"][CLUSTER])
                clusters.setdefault(key, []).append(pod)
        for key, pods in clusters.items():
            ready = sorted((pod for pod in pods if _is_ready(pod)), key=_ordinal)
            if ready:
                await self._lead(key, ready, leader(ready))

    async def _lead(self, key: tuple[str, str], ready: list[Json], first: Json) -> None:
        # Never two primaries: demote the old one before promoting the new one.
        for pod in sorted(ready, key=lambda pod: pod is first):
            role = PRIMARY if pod is first else REPLICA
            if pod["metadata"]["labels"].get(ROLE) != role:
                await self._as(pod, _path(pod), {"metadata": {"labels": {ROLE: role}}})
                pod["metadata"]["labels"][ROLE] = role
        name, address = first["metadata"]["name"], first["status"]["podIP"]
        if self._published.get("/".join(key)) == f"{name} {address}":
            return
        target = {"kind": "Pod", "name": name, "namespace": key[0], "uid": first["metadata"]["uid"]}
        place = {"ip": address, "nodeName": first["spec"]["nodeName"], "targetRef": target}
        port = {"name": "postgresql", "port": PORT, "protocol": "TCP"}
        body = {
            "metadata": {"annotations": {"leader": name}},
            "subsets": [{"addresses": [place], "ports": [port]}],
        }
        path = f"/api/v1/namespaces/{key[0]}/endpoints/{key[1]}"
        if await self._as(first, path, body):
            self._published["/".join(key)] = f"{name} {address}"

    async def _as(self, pod: Json, path: str, body: Json, *, method: str = "PATCH") -> bool:
        """Send a request with the pod's identity. Return False if the object does not exist."""
        namespace, account = pod["metadata"]["namespace"], pod["spec"]["serviceAccountName"]
        if (namespace, account) not in self._accounts:
            token = await self._server.token(namespace, account)
            client = self._server.with_token(token, agent="patroni")
            self._accounts[namespace, account] = client
        client = self._accounts[namespace, account]
        kind = MERGE_PATCH if method == "PATCH" else "application/json"
        try:
            await client.request(method, path, body, content_type=kind)
        except ApiServerError as error:
            if error.status == 401:  # the account was recreated
                await self._accounts.pop((namespace, account)).close()
            if error.status != 404:
                raise
            return False
        return True

    async def _serve_connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Serve a keep-alive connection of a proxy client."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, ValueError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                first, *fields = head.strip().split("\r\n")
                headers = {k.lower(): v for k, _, v in (field.partition(": ") for field in fields)}
                content = await reader.readexactly(int(headers.get("content-length", 0)))
                method, target, _ = first.split(" ", 2)
                status, answer = await self._answer(method, target, content)
                text = answer if isinstance(answer, str) else json.dumps(answer)
                body = text.encode()
                writer.write(
                    f"HTTP/1.1 {status} -\r\nContent-Type: application/json\r\n"
                    f"Content-Length: {len(body)}\r\n\r\n".encode()
                    + body
                )
                await writer.drain()
        writer.close()

    async def _answer(self, method: str, target: str, content: bytes) -> tuple[int, Json | str]:
        url = urlsplit(target)
        pod = next((p for p in self._pods() if _is_at(p, url.hostname)), None)
        if pod is None:
            return 502, f"no pod has the address {url.hostname}"
        body = json.loads(content) if content else {}
        try:
            return await (self._status_of if method == "GET" else self._done)(pod, url.path, body)
        except (ApiServerError, httpx.HTTPError, OSError) as error:
            return 503, str(error)

    async def _status_of(self, pod: Json, path: str, _: Json) -> tuple[int, Json | str]:
        match path:
            case "/patroni":
                return 200, member(pod)
            case "/cluster":
                agreed = await self._configuration(pod)
                is_synchronous = bool(agreed.get("synchronous_mode"))
                return 200, {"members": list(members(self._ready_members(pod), is_synchronous))}
            case "/config":
                return 200, await self._configuration(pod)
        return 404, f"{path} is not served"

    async def _done(self, pod: Json, path: str, body: Json) -> tuple[int, Json | str]:
        match path:
            case "/config":
                changed = merged(await self._configuration(pod), body)
                await self._keep(pod, changed)
                return 200, changed
            case "/switchover":
                return self._switch(pod, body)
            case "/restart":
                return 200, "restarted successfully"
        return 404, f"{path} is not served"

    def _ready_members(self, pod: Json) -> list[Json]:
        """Return the ready pods of the same cluster, including this one."""
        metadata = pod["metadata"]
        here = [p for p in self._pods() if p["metadata"]["namespace"] == metadata["namespace"]]
        name = metadata["labels"][CLUSTER]
        mates = [p for p in here if _is_postgres(p) and p["metadata"]["labels"][CLUSTER] == name]
        return sorted((p for p in mates if _is_ready(p)), key=_ordinal)

    def _switch(self, pod: Json, body: Json) -> tuple[int, str]:
        wanted = body.get("member") or body.get("candidate")
        if not any(mate["metadata"]["name"] == wanted for mate in self._ready_members(pod)):
            return 412, f"candidate {wanted} does not exist"
        # Roles change after the answer, like Patroni's, which runs every few seconds: the caller
        # starts to watch for them only then.
        switching = asyncio.create_task(self._switch_over(pod, str(wanted)))
        self._switching.add(switching)
        switching.add_done_callback(self._switching.discard)
        return 200, f'Successfully switched over to "{wanted}"'

    async def _switch_over(self, pod: Json, wanted: str) -> None:
        await asyncio.sleep(_LOOP)
        mates = self._ready_members(pod)
        metadata = pod["metadata"]
        key = (metadata["namespace"], metadata["labels"][CLUSTER])
        for candidate in mates:
            if candidate["metadata"]["name"] == wanted:
                try:
                    await self._lead(key, mates, candidate)
                except (ApiServerError, httpx.HTTPError, OSError) as error:
                    _log.warning("%s: the switchover to %s failed: %s", key, wanted, error)

    async def _configuration(self, pod: Json) -> Json:
        """Return the dynamic configuration from Patroni's own place, or the initial one."""
        kept = await self._server.get(self._config_path(pod))
        annotations = ((kept or {}).get("metadata") or {}).get("annotations") or {}
        if "config" in annotations:
            return dict(json.loads(annotations["config"]))
        given = environment(pod).get("SPILO_CONFIGURATION", "{}")
        return merged(_DEFAULTS, (json.loads(given).get("bootstrap") or {}).get("dcs") or {})

    async def _keep(self, pod: Json, configuration: Json) -> None:
        metadata = pod["metadata"]
        annotations = {"config": json.dumps(configuration)}
        if await self._as(pod, self._config_path(pod), {"metadata": {"annotations": annotations}}):
            return
        name = f"{metadata['labels'][CLUSTER]}-config"
        labels = {**LABELS, CLUSTER: metadata["labels"][CLUSTER]}
        body = {"metadata": {"name": name, "labels": labels, "annotations": annotations}}
        path = f"/api/v1/namespaces/{metadata['namespace']}/endpoints"
        await self._as(pod, path, body, method="POST")

    def _config_path(self, pod: Json) -> str:
        metadata = pod["metadata"]
        name = f"{metadata['labels'][CLUSTER]}-config"
        return f"/api/v1/namespaces/{metadata['namespace']}/endpoints/{name}"


def leader(ready: list[Json]) -> Json:
    """Choose the leader: the current one, else a replica (it has the data), else the first."""
    for role in (PRIMARY, REPLICA):
        for pod in ready:
            if pod["metadata"]["labels"].get(ROLE) == role:
                return pod
    return ready[0]


def member(pod: Json) -> Json:
    """Return a member's own status."""
    is_primary = pod["metadata"]["labels"].get(ROLE) == PRIMARY
    version = environment(pod).get("PGVERSION", "17")
    return {
        "state": "running" if _is_ready(pod) else "starting",
        "role": "primary" if is_primary else REPLICA,
        "server_version": int(version) * 10_000,
        "cluster_unlocked": False,
        "timeline": 1,
        "patroni": {"version": _VERSION, "scope": pod["metadata"]["labels"][CLUSTER]},
    }


def members(pods: Iterable[Json], is_synchronous: bool = False) -> Iterable[Json]:
    """Yield the cluster's members, with at most one synchronous replica."""
    following = ["sync_standby"] if is_synchronous else []
    for pod in pods:
        is_primary = pod["metadata"]["labels"].get(ROLE) == PRIMARY
        yield {
            "name": pod["metadata"]["name"],
            "role": "leader" if is_primary else following.pop() if following else REPLICA,
            "state": "running" if is_primary else "streaming",
            "host": pod["status"]["podIP"],
            "port": PORT,
            "timeline": 1,
            "lag": 0,
        }


def merged(old: Json, change: Json) -> Json:
    """Merge a configuration patch as Patroni does: null removes a key."""
    found = dict(old)
    for key, value in change.items():
        if value is None:
            found.pop(key, None)
        elif isinstance(value, dict) and isinstance(found.get(key), dict):
            found[key] = merged(found[key], value)
        else:
            found[key] = value
    return found


def _is_postgres(pod: Json) -> bool:
    labels = pod["metadata"].get("labels") or {}
    return CLUSTER in labels and labels.items() >= LABELS.items()


def _is_ready(pod: Json) -> bool:
    return pod_status.is_ready(pod) and bool((pod.get("status") or {}).get("podIP"))


def _is_at(pod: Json, address: str | None) -> bool:
    return _is_postgres(pod) and (pod.get("status") or {}).get("podIP") == address


def _ordinal(pod: Json) -> int:
    last = pod["metadata"]["name"].rpartition("-")[2]
    return int(last) if last.isdigit() else 0


def _path(pod: Json) -> str:
    metadata = pod["metadata"]
    return f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
