"""Requests for endpoint groups that the Gateway controller writes into the Services of routes.

It takes a request back when no route of a Gateway needs the group any more, and leaves those of
others: a request is its own if it states no name and this controller wrote the annotation last.
"""

from __future__ import annotations

import json
from collections.abc import Set
from typing import Any

from sandbox.kubernetes.api_server import MERGE_PATCH, ApiServer, ApiServerError
from sandbox.kubernetes.controllers.endpoint_groups import ANNOTATION

Json = dict[str, Any]
MANAGER = "GoogleGKEGatewayController"
"""The field manager of its annotations."""
_OWNED = f"f:{ANNOTATION}"


async def ask(server: ApiServer, service: Json, port: int) -> None:
    """Request the groups of a Service's port, if nobody has yet."""
    requested = _requested(service)
    ports: Json = requested.setdefault("exposed_ports", {})
    if str(port) not in ports:
        ports[str(port)] = {}
        await _write(server, service, json.dumps(requested))


async def take_back(server: ApiServer, service: Json, needed: Set[int]) -> None:
    """Take back what this controller requested of a Service, but for the ports that are needed."""
    if not is_own(service):
        return
    requested = _requested(service)
    ports: Json = requested.get("exposed_ports") or {}
    kept = {port: value for port, value in ports.items() if value or int(port) in needed}
    if kept == ports:
        return
    requested["exposed_ports"] = kept
    rest = {key: value for key, value in requested.items() if value}
    await _write(server, service, json.dumps(rest) if rest else None)


def is_own(service: Json) -> bool:
    """Whether this controller wrote the annotation last."""
    return any(
        one.get("manager") == MANAGER and _OWNED in _annotations(one.get("fieldsV1") or {})
        for one in service["metadata"].get("managedFields") or ()
    )


def _annotations(fields: Json) -> Json:
    return dict((fields.get("f:metadata") or {}).get("f:annotations") or {})


def _requested(service: Json) -> Json:
    text = (service["metadata"].get("annotations") or {}).get(ANNOTATION) or "{}"
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {}


async def _write(server: ApiServer, service: Json, text: str | None) -> None:
    """Change the annotation. Fails if the Service was changed meanwhile: ApiServerError 409."""
    metadata = service["metadata"]
    path = f"/api/v1/namespaces/{metadata['namespace']}/services/{metadata['name']}"
    change = {
        "annotations": {ANNOTATION: text}, "resourceVersion": metadata["resourceVersion"]
    }  # fmt: skip
    try:
        written = await server.request(
            "PATCH",
            path,
            {"metadata": change},
            content_type=MERGE_PATCH,
            params={"fieldManager": MANAGER},
        )
    except ApiServerError as error:
        if error.status != 404:
            raise
    else:
        # The next port of the same Service starts from this.
        metadata |= written.get("metadata") or {}
