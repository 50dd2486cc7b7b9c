"""Long-running operations of the newer services: what one does is done when it is answered.

It says so only after the emulator's latency, so that who does not wait is found out.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError
from sandbox.gcp.service import Call, now

_EMPTY = "type.googleapis.com/google.protobuf.Empty"


@dataclass(frozen=True, slots=True)
class Operations:
    """The operations of one service."""

    service: str
    package: str
    """The package of its messages, such as `google.cloud.certificatemanager.v1`."""

    def start(self, call: Call, target: str, verb: str, response: Json, schema: str) -> Json:
        """A new operation on `target`, as it is answered; without a response it is Empty."""
        kind = f"type.googleapis.com/{self.package}"
        home = "/".join(target.split("/")[:4])
        name = f"{home}/operations/operation-{int(time.time() * 1000)}-{uuid.uuid4().hex[:13]}"
        operation: Json = {
            "name": name,
            "metadata": {
                "@type": f"{kind}.OperationMetadata",
                "createTime": now(),
                "target": target,
                "verb": verb,
                "requestedCancellation": False,
                "apiVersion": "v1",
            },
            "done": False,
            "_response": {"@type": f"{kind}.{schema}" if response else _EMPTY, **response},
            "_until": time.time() + call.state.latency,
        }
        call.store.put(f"{self.service}/{name}", operation)
        return _shown(operation)

    async def get(self, call: Call) -> Json:
        """`operations.get`."""
        found = call.store.get(f"{self.service}/{call.url_path}")
        if found is None:
            raise ApiError(404, f"Resource '{call.url_path}' was not found")
        return _shown(found)

    async def list(self, call: Call) -> Json:
        """`operations.list`."""
        found = call.store.collection(f"{self.service}/{call.url_path}")
        return {"operations": [_shown(body) for _, body in found]}


def _shown(operation: Json) -> Json:
    shown = {k: v for k, v in operation.items() if not k.startswith("_")}
    if time.time() >= operation["_until"]:
        shown |= {"done": True, "response": operation["_response"]}
        shown["metadata"] = shown["metadata"] | {"endTime": now()}
    return shown
