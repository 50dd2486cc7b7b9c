"""Kubernetes events through which controllers report what they did or why they failed."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from sandbox.kubernetes.api_server import ApiServer

Json = dict[str, Any]


class Events:
    """Event recorder of one controller. Repeated messages for an object are recorded once."""

    def __init__(
        self, server: ApiServer, component: str, *, kind: str = "Service", api_version: str = "v1"
    ) -> None:
        self._server = server
        self._component = component
        self._kind = kind
        self._api_version = api_version
        self._said: dict[str, tuple[str, str]] = {}

    async def warn(self, involved: Json, reason: str, message: str) -> None:
        """Attach a warning to an object."""
        await self.record(involved, "Warning", reason, message)

    async def record(self, involved: Json, kind: str, reason: str, message: str) -> None:
        """Attach an event of type Normal or Warning to an object."""
        metadata = involved["metadata"]
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
                "apiVersion": self._api_version,
                "kind": self._kind,
                "name": metadata["name"],
                "namespace": namespace,
                "uid": metadata["uid"],
            },
            "type": kind,
            "reason": reason,
            "message": message[:1024],
            "count": 1,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "source": {"component": self._component},
        }
        await self._server.request("POST", f"/api/v1/namespaces/{namespace}/events", event)
        self._said[metadata["uid"]] = (reason, message)
