"""Long-running operations of Kubernetes Engine, kept in the store and run in the background.

An operation is stored before its steps start and again when they end. After a crash, the next
start finds unfinished operations and resumes them.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator

from sandbox.gcp.errors import ApiError
from sandbox.gcp.service import State, now, project_number
from sandbox.gcp.services.container import errors
from sandbox.gcp.services.container.locations import Place
from sandbox.gcp.services.container.wire_format import Json, without
from sandbox.gcp.store import Store

_log = logging.getLogger("sandbox.gcp.container")
_INTERNAL = 13
_LOOK_SECONDS = 0.02
Steps = Callable[[], Awaitable[None]]


def _folder(place: Place) -> str:
    return f"container/projects/{place.project}/locations/{place.location}/operations"


def find(store: Store, place: Place, name: str) -> Json:
    """Return an operation's record. Raises 404."""
    found = store.get(f"{_folder(place)}/{name}")
    if found is None:
        raise errors.no_operation(place, name)
    return found


async def settled(state: State, place: Place, name: str, *, patience: float) -> Json:
    """Return an operation's record once it is done, or after `patience` seconds. Raises 404."""
    deadline = time.monotonic() + (0 if state.latency else patience)
    found = find(state.store, place, name)
    while found["status"] != "DONE" and time.monotonic() < deadline:
        await asyncio.sleep(_LOOK_SECONDS)
        found = find(state.store, place, name)
    return found


def in_location(store: Store, place: Place) -> Iterator[Json]:
    """Yield the operations of a location."""
    for _, operation in store.collection(_folder(place)):
        yield operation


def unfinished(store: Store) -> list[Json]:
    """Return all operations that are not done."""
    return [
        document
        for key, document in store.below("container/projects")
        if key.rpartition("/")[0].endswith("/operations") and document["status"] != "DONE"
    ]


def render(operation: Json, version: str) -> Json:
    """Return the operation as in the API's answer."""
    place = Place(operation["project"], operation["zone"])
    number = project_number(place.project)
    shown = without(operation, "project", "target")
    shown["selfLink"] = place.link(version, "operations", operation["name"], project=number)
    shown["targetLink"] = place.link(version, operation["target"], project=number)
    return shown


def refuse_if_busy(store: Store, place: Place, cluster: str, *, pool: str = "") -> None:
    """Raise 400 if an operation in progress conflicts with a new one.

    A new operation on the cluster conflicts with all others of the cluster; one on a node pool
    conflicts with those on the cluster and on the same pool.
    """
    mine = f"clusters/{cluster}"
    for operation in in_location(store, place):
        if operation["status"] == "DONE":
            continue
        target: str = operation["target"]
        if target != mine and not target.startswith(f"{mine}/"):
            continue
        if pool and target not in (mine, f"{mine}/nodePools/{pool}"):
            continue
        raise errors.busy(operation["name"])


def start(
    state: State,
    place: Place,
    kind: str,
    target: str,
    steps: Steps,
    *,
    status: str = "RUNNING",
    progress: Json | None = None,
) -> Json:
    """Store a new operation and run its steps in the background. Returns its record."""
    suffix = f"{secrets.token_hex(4)}-{secrets.token_hex(2)}-{secrets.token_hex(2)}"
    name = f"operation-{int(time.time() * 1000)}-{suffix}-{secrets.token_hex(4)}"
    operation: Json = {
        "name": name,
        "zone": place.location,
        "operationType": kind,
        "status": status,
        "startTime": now(),
        "project": place.project,
        "target": target,
    }
    state.store.put(f"{_folder(place)}/{name}", operation)
    state.spawn(run(state, operation, steps, progress=progress))
    return operation


async def run(state: State, operation: Json, steps: Steps, *, progress: Json | None = None) -> None:
    """Run an operation's steps and store the result."""
    place = Place(operation["project"], operation["zone"])
    key = f"{_folder(place)}/{operation['name']}"
    ended = dict(operation)
    began = time.monotonic()
    try:
        await steps()
    except asyncio.CancelledError:
        # The daemon is stopping: the operation stays unfinished, and the next start resumes it.
        raise
    except ApiError as error:
        ended |= _failure(error.message)
    except Exception as error:
        _log.exception("%s of %s failed", operation["operationType"], operation["target"])
        ended |= _failure(str(error) or type(error).__name__)
    remaining = state.latency - (time.monotonic() - began)
    if remaining > 0:
        await asyncio.sleep(remaining)
    ended |= {"status": "DONE", "endTime": now()}
    if progress is not None:
        ended["progress"] = progress
    state.store.put(key, ended)


def _failure(reason: str) -> Json:
    return {"error": {"code": _INTERNAL, "message": reason}, "statusMessage": reason}
