"""Gives Envoy its endpoints and routes as they change, over its REST protocol for discovery.

Envoy asks for one resource and names the version that it has; the answer waits for another version.
Files would do the same, but Envoy takes one inotify instance for each, of which Linux allows a user
128: too few for the backend services of a large sandbox.
https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol#rest-json-polling-subscriptions
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from sandbox.kubernetes.controllers import http_messages
from sandbox.kubernetes.controllers.connections import Connections

Json = dict[str, Any]
CLUSTER = "discovery"
TYPES = {
    "eds": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
    "rds": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
}
_PATHS = {"/v3/discovery:endpoints": "eds", "/v3/discovery:routes": "rds"}
_HOLD, _REQUEST = 30.0, 60  # seconds that an answer waits, and that Envoy waits for it
_AGAIN = 0.5
_UNCHANGED = 304


@dataclass(slots=True)
class _Resource:
    body: Json | None = None
    version: str = ""
    sent: str = ""
    """The version that Envoy was last given, taken or not."""
    taken: str | None = None
    """The version that it named when it last asked; None before it asks."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class DiscoveryServer:
    """The resources of one Envoy, on a port of 127.0.0.1."""

    def __init__(self) -> None:
        self._resources: dict[tuple[str, str], _Resource] = {}
        self._asked = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._connections = Connections()

    async def start(self, port: int) -> None:
        """Listen. Raises OSError."""
        serve = self._connections.tracked(self._serve)
        self._server = await asyncio.start_server(serve, "127.0.0.1", port)

    async def close(self) -> None:
        """Stop listening, and cut what waits."""
        if self._server is not None:
            self._server.close()
        await self._connections.close()

    def set(self, resources: Mapping[tuple[str, str], Json]) -> list[tuple[str, str]]:
        """Replace all resources, by kind (a key of TYPES) and name; returns what changed."""
        changed = []
        for key, body in resources.items():
            encoded = msgspec.json.encode(body)
            version = hashlib.sha256(encoded).hexdigest()[:16]
            kept = self._resources.setdefault(key, _Resource())
            if kept.version != version:
                kept.body, kept.version = body, version
                changed.append(key)
                kept.changed.set()
        for key in self._resources.keys() - resources.keys():
            # Kept without a body: an answer may still wait, until it comes back.
            self._resources[key].body, self._resources[key].version = None, ""
        return changed

    def pending(self, changed: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """Those of some changed resources that Envoy asks for and has not taken yet."""
        found = []
        for key in changed:
            kept = self._resources.get(key)
            if kept and kept.taken is not None and kept.taken != kept.version:
                found.append(key)
        return found

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, ValueError):
                while True:
                    asked = await http_messages.read(reader)
                    status, body = await self._answer(asked.target, asked.body)
                    await http_messages.write(writer, status, body)
        finally:
            writer.close()

    async def _answer(self, path: str, content: bytes) -> tuple[int, bytes]:
        kind = _PATHS.get(path)
        given: Json = msgspec.json.decode(content)
        names = given.get("resource_names") or []
        if kind is None or len(names) != 1:
            return 404, b""
        kept = self._resources.setdefault((kind, names[0]), _Resource())
        has = str(given.get("version_info") or "")
        kept.taken = has
        kept.changed.clear()
        if kept.version in (has, kept.sent):
            # What was given and is not taken was refused, or went to a cluster that is replaced:
            # Envoy follows a resource twice until the new cluster is warm. It is given again, but
            # not at once.
            hold = _HOLD if kept.version == has else _AGAIN
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(hold):
                    await kept.changed.wait()
        if kept.body is None or kept.version == has:
            return _UNCHANGED, b""
        kept.sent = kept.version
        resource = {"@type": TYPES[kind], **kept.body}
        answer = {"version_info": kept.version, "type_url": TYPES[kind], "resources": [resource]}
        return 200, msgspec.json.encode(answer)


def source() -> Json:
    """How Envoy is told to ask here."""
    return {
        "resource_api_version": "V3",
        "api_config_source": {
            "api_type": "REST",
            "transport_api_version": "V3",
            "cluster_names": [CLUSTER],
            "refresh_delay": "0.02s",
            "request_timeout": f"{_REQUEST}s",
        },
    }


def cluster(port: int) -> Json:
    """The static cluster of the bootstrap that `source` names."""
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    return {
        "name": CLUSTER,
        "type": "STATIC",
        "connect_timeout": "1s",
        # Each resource that is followed holds a request.
        "circuit_breakers": {
            "thresholds": [
                {"max_connections": 65536, "max_pending_requests": 65536, "max_requests": 65536}
            ]
        },
        "load_assignment": {
            "cluster_name": CLUSTER,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
    }
