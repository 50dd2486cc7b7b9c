"""Changes: deletions and additions of record sets, applied atomically.

They do not use the collection engine: a change is a transaction over record sets, and cannot be
patched or deleted.
"""

from __future__ import annotations

import time

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError
from sandbox.gcp.filters import page
from sandbox.gcp.service import Call
from sandbox.gcp.service import now as time_now
from sandbox.gcp.services.dns import records, zones


async def create(call: Call) -> Json:
    """`changes.create`."""
    zone, zone_key = zones.load(call), zones.key_of(call)
    deletions, additions = call.body.get("deletions") or [], call.body.get("additions") or []
    if not deletions and not additions:
        raise zones.required("entity.change")
    there = {
        f"{zone_key}/rrsets/{name}": body
        for name, body in call.store.collection(f"{zone_key}/rrsets")
    }
    after = dict(there)
    for index, given in enumerate(deletions):
        _take(after, zone_key, given, f"entity.change.deletions[{index}]")
    for index, given in enumerate(additions):
        field = f"entity.change.additions[{index}]"
        record = records.completed(zone, given, field)
        key = records.key_of(zone_key, record)
        if key in after:
            raise zones.taken(field, records.label(record))
        records.refuse_beside(iter(after.values()), record, field)
        after[key] = record
    for index, given in enumerate(deletions):
        if records.key_of(zone_key, given) not in after:
            records.refuse_apex(zone, given, f"entity.change.deletions[{index}]")
    for key in there.keys() - after.keys():
        call.store.delete(key)
    for key, record in after.items():
        if there.get(key) != record:
            call.store.put(key, record)
    return _noted(call, zone, deletions, additions)


def _take(after: dict[str, Json], zone_key: str, given: Json, field: str) -> None:
    """Delete a record set. The caller must give its current data and ttl."""
    key = records.key_of(zone_key, {"name": "", "type": "", **given})
    found = after.get(key)
    if found is None:
        raise zones.missing(field, records.label(given))
    same = sorted(given.get("rrdatas") or []) == sorted(found.get("rrdatas") or [])
    if not same or given.get("ttl") != found.get("ttl"):
        raise ApiError(412, f"Precondition not met for '{field}'")
    del after[key]


def _noted(call: Call, zone: Json, deletions: list[Json], additions: list[Json]) -> Json:
    number = zone.get("_changes", 1)
    call.store.put(zones.key_of(call), {**zone, "_changes": number + 1})
    change: Json = {
        "kind": "dns#change",
        "id": str(number),
        "startTime": time_now(),
        "status": "pending",
        "deletions": deletions,
        "additions": additions,
        "_until": time.time() + call.state.latency,
    }
    if call.state.latency == 0:
        change["status"] = "done"
    call.store.put(f"{zones.key_of(call)}/changes/{number}", change)
    return _shown(change)


def _shown(change: Json) -> Json:
    if time.time() >= change["_until"]:
        change["status"] = "done"
    return {k: v for k, v in change.items() if not k.startswith("_") and v != []}


async def get(call: Call) -> Json:
    """`changes.get`."""
    zones.load(call)
    found = call.store.get(f"{zones.key_of(call)}/changes/{call.path['changeId']}")
    if found is None:
        raise zones.missing("parameters.changeId", call.path["changeId"])
    return _shown(found)


async def list_(call: Call) -> Json:
    """`changes.list`."""
    zones.load(call)
    found = [_shown(body) for _, body in call.store.collection(f"{zones.key_of(call)}/changes")]
    chosen, token = page(call, found)
    listed = {"kind": "dns#changesListResponse", "changes": chosen}
    return listed | ({"nextPageToken": token} if token else {})
