"""Certificate Manager's operations: what one does is done when it is answered."""

from __future__ import annotations

import time
import uuid

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError
from sandbox.gcp.service import Call, now

_TYPE = "type.googleapis.com/google.cloud.certificatemanager.v1"


def start(call: Call, target: str, verb: str, response: Json, schema: str) -> Json:
    """A new operation on `target`, as it is answered."""
    home = "/".join(target.split("/")[:4])
    name = f"{home}/operations/operation-{int(time.time() * 1000)}-{uuid.uuid4().hex[:13]}"
    kind = f"{_TYPE}.{schema}" if response else "type.googleapis.com/google.protobuf.Empty"
    operation: Json = {
        "name": name,
        "metadata": {
            "@type": f"{_TYPE}.OperationMetadata",
            "createTime": now(),
            "target": target,
            "verb": verb,
            "requestedCancellation": False,
            "apiVersion": "v1",
        },
        "done": False,
        "_response": {"@type": kind, **response},
        "_until": time.time() + call.state.latency,
    }
    call.store.put(f"certificatemanager/{name}", operation)
    return _shown(operation)


def _shown(operation: Json) -> Json:
    shown = {k: v for k, v in operation.items() if not k.startswith("_")}
    if time.time() >= operation["_until"]:
        shown |= {"done": True, "response": operation["_response"]}
        shown["metadata"] = shown["metadata"] | {"endTime": now()}
    return shown


async def get(call: Call) -> Json:
    """`operations.get`."""
    found = call.store.get(f"certificatemanager/{call.url_path}")
    if found is None:
        raise ApiError(404, f"Resource '{call.url_path}' was not found")
    return _shown(found)


async def list_(call: Call) -> Json:
    """`operations.list`."""
    found = call.store.collection(f"certificatemanager/{call.url_path}")
    return {"operations": [_shown(body) for _, body in found]}
