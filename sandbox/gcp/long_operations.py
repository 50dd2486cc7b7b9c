"""Long-running operations (`google.longrunning`) of the newer services.

The work is done before the request is answered. The first answer is never done, and has no
response; the operation is `done` when it is read after the emulator's latency, so that a client
that does not wait for it fails.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError
from sandbox.gcp.service import Call, Handler, now

_EMPTY = "type.googleapis.com/google.protobuf.Empty"


@dataclass(frozen=True, slots=True)
class Operations:
    """The operations of one service."""

    service: str
    package: str
    """The package of its messages, such as `google.cloud.certificatemanager.v1`."""

    def answers(self, schema: str) -> Callable[[Call, str, str, Json], Json]:
        """The `answer` of a `Collection` of `schema`s whose changes are operations."""

        def answer(call: Call, verb: str, name: str, shown: Json) -> Json:
            return self.start(call, name, verb, {} if verb == "delete" else shown, schema)

        return answer

    def handlers(self, path: str) -> dict[str, Handler]:
        """The methods of the operations themselves; `path` as in `projects.locations`."""
        folder = f"{self.service}.{path}.operations"
        return {f"{folder}.get": self.get, f"{folder}.list": self.list}

    def start(self, call: Call, target: str, verb: str, response: Json, schema: str) -> Json:
        """Record an operation on `target`, and answer with it. No response means Empty."""
        kind = f"type.googleapis.com/{self.package}"
        location = "/".join(target.split("/")[:4])
        name = f"{location}/operations/operation-{int(time.time() * 1000)}-{uuid.uuid4().hex[:13]}"
        operation: Json = {
            "name": name,
            "metadata": {
                "@type": f"{kind}.OperationMetadata",
                "createTime": now(),
                "target": target,
                "verb": verb,
                "apiVersion": "v1",
            },
            "_response": {"@type": f"{kind}.{schema}" if response else _EMPTY, **response},
            "_until": time.time() + call.state.latency,
        }
        call.store.put(f"{self.service}/{name}", operation)
        return {"name": name, "metadata": operation["metadata"]}

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
