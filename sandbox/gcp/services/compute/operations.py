"""Compute operations: global, regional and zonal.

A change takes effect before its operation is returned. The operation is RUNNING for the emulator's
latency, and DONE when it is read afterwards; so nothing is pending after a restart.
"""

from __future__ import annotations

import asyncio
import time
import uuid

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import not_found
from sandbox.gcp.service import USER, Call, State, now, numeric_id
from sandbox.gcp.services.compute.place import PREFIX, Place

# Collections whose operation types are the method's full id.
_LONG_NAMES = frozenset({"targetGrpcProxies", "instanceGroups", "networkEndpointGroups"})

# Operations that are DONE when they are returned.
_INSTANT = frozenset(
    (collection, kind)
    for collection in ("sslPolicies", "securityPolicies")
    for kind in ("insert", "delete")
)


def start(state: State, place: Place, kind: str, target_id: str, *, done: bool = False) -> Json:
    """Start an operation of type `kind` on the resource; returns it as the API does."""
    name = f"operation-{int(time.time() * 1000)}-{uuid.uuid4().hex[:13]}-{uuid.uuid4().hex[:16]}"
    if place.collection in _LONG_NAMES and "." not in kind:
        kind = f"compute.{_collection(place)}.{kind}"
    done = done or (place.collection, kind) in _INSTANT
    at = Place(place.project, place.scope, "operations", name)
    operation: Json = {
        "id": numeric_id(),
        "insertTime": now(),
        "kind": "compute#operation",
        "name": name,
        "operationType": kind,
        "progress": 0,
        "selfLink": at.link,
        "startTime": now(),
        "status": "RUNNING",
        "targetId": target_id,
        "targetLink": place.link,
        "user": USER,
        "_until": time.time() + state.latency,
    }
    if place.region:
        operation["region"] = f"{PREFIX}projects/{place.project}/{place.scope}"
    if place.zone:
        operation["zone"] = f"{PREFIX}projects/{place.project}/{place.scope}"
    if done:
        operation["_until"] = 0.0
        operation = _settle(operation)
    state.store.put(at.key, operation)
    return public(operation)


def _collection(place: Place) -> str:
    """The collection as method ids name it: `regionNetworkEndpointGroups` of those in a region."""
    capitalised = place.collection[0].upper() + place.collection[1:]
    if place.region:
        return f"region{capitalised}"
    is_global = place.scope == "global" and place.collection == "networkEndpointGroups"
    return f"global{capitalised}" if is_global else place.collection


def public(document: Json) -> Json:
    """The document without internal fields, which begin with an underscore."""
    return {key: value for key, value in sorted(document.items()) if not key.startswith("_")}


def _settle(operation: Json) -> Json:
    if operation["status"] != "DONE" and time.time() >= operation["_until"]:
        operation |= {"status": "DONE", "progress": 100, "endTime": now()}
    return operation


def _load(call: Call) -> tuple[str, Json]:
    path = call.url_path.removesuffix("/wait")
    operation = call.store.get(f"compute/{path}")
    if operation is None:
        raise not_found(path)
    return f"compute/{path}", operation


async def get(call: Call) -> Json:
    """`*Operations.get`."""
    key, operation = _load(call)
    if operation["status"] != "DONE":
        operation = _settle(operation)
        if operation["status"] == "DONE":
            call.store.put(key, operation)
    return public(operation)


async def wait(call: Call) -> Json:
    """`*Operations.wait`: returns when it is done, after two minutes at most."""
    _, operation = _load(call)
    await asyncio.sleep(min(120.0, max(0.0, operation["_until"] - time.time())))
    return await get(call)


async def list_(call: Call) -> Json:
    """`*Operations.list`."""
    items = [public(_settle(body)) for _, body in call.store.collection(f"compute/{call.url_path}")]
    return {
        "id": call.url_path,
        "items": items,
        "kind": "compute#operationList",
        "selfLink": PREFIX + call.url_path,
    }


async def delete(call: Call) -> Json:
    """`*Operations.delete`."""
    key, _ = _load(call)
    call.store.delete(key)
    return {}
