"""Warnings in a Service's events: how a controller tells users why it could not do its work."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from sandbox.kubernetes.api_server import ApiServer

Json = dict[str, Any]


class Events:
    """One controller's events; the same thing is said of a Service once."""

    def __init__(self, server: ApiServer, component: str) -> None:
        self._server = server
        self._component = component
        self._said: dict[str, tuple[str, str]] = {}

    async def warn(self, service: Json, reason: str, message: str) -> None:
        """Attach a warning to a Service."""
        metadata = service["metadata"]
        if self._said.get(metadata["uid"]) == (reason, message):
            return
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        namespace = metadata["namespace"]
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": f"{metadata['name']}.{uuid.uuid4().hex[:16]}",
                "namespace": namespace,
            },
            "involvedObject": {
                "apiVersion": "v1",
                "kind": "Service",
                "name": metadata["name"],
                "namespace": namespace,
                "uid": metadata["uid"],
            },
            "type": "Warning",
            "reason": reason,
            "message": message[:1024],
            "count": 1,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "source": {"component": self._component},
        }
        await self._server.request("POST", f"/api/v1/namespaces/{namespace}/events", event)
        self._said[metadata["uid"]] = (reason, message)
