"""Record sets: validation, and the methods of a single one.

They do not use the collection engine: a record set is named by two values, its name and its type,
and has no `name` field with a path. `changes` writes them in transactions too.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError
from sandbox.gcp.filters import page
from sandbox.gcp.service import Call
from sandbox.gcp.services.dns import zones

_TYPES = frozenset(
    ["A", "AAAA", "ALIAS", "CAA", "CNAME", "DNSKEY", "DS", "HTTPS", "IPSECKEY", "MX", "NAPTR", "NS"]
) | frozenset(["PTR", "SOA", "SPF", "SRV", "SSHFP", "SVCB", "TLSA", "TXT"])
_NAME = re.compile(r"(?:\*\.)?(?:[a-z0-9_](?:[-a-z0-9_]{0,61}[a-z0-9_])?\.)+")


def key_of(zone_key: str, record: Json) -> str:
    """The store's key of a record set."""
    return f"{zone_key}/rrsets/{record['name']}|{record['type']}"


def label(record: Json) -> str:
    """How Cloud DNS's messages name a record set."""
    return f"{record.get('name')} ({record.get('type')})"


def completed(zone: Json, given: Json, field: str) -> Json:
    """A record set as it is stored. Raises ApiError 400 for what Cloud DNS refuses."""
    record = {k: v for k, v in given.items() if v is not None}
    name, kind = str(record.get("name", "")).lower(), record.get("type")
    for part in ("name", "type"):
        if not record.get(part):
            raise zones.required(f"{field}.{part}")
    within = name == zone["dnsName"] or name.endswith(f".{zone['dnsName']}")
    if not _NAME.fullmatch(name) or not within:
        raise zones.bad(f"{field}.name", record["name"])
    if kind not in _TYPES:
        raise zones.bad(f"{field}.type", kind)
    if not record.get("routingPolicy"):
        data = record.get("rrdatas") or []
        if not data or (kind == "CNAME" and len(data) != 1):
            raise zones.bad(f"{field}.rrdata", data)
        for index, value in enumerate(data):
            if not _fits(str(kind), str(value)):
                raise zones.bad(f"{field}.rrdata[{index}]", value)
    record.setdefault("ttl", 86400)
    return {
        "kind": "dns#resourceRecordSet",
        "signatureRrdatas": [],
        **record,
        "name": name,
    }


def _fits(kind: str, value: str) -> bool:
    if kind in {"A", "AAAA"}:
        try:
            address = ipaddress.ip_address(value)
        except ValueError:
            return False
        return address.version == (4 if kind == "A" else 6)
    return kind not in {"CNAME", "NS", "PTR"} or _NAME.fullmatch(value.lower()) is not None


def refuse_beside(others: Iterator[Json], record: Json, field: str) -> None:
    """Raise ApiError 400 where a CNAME and another type would share a name."""
    for other in others:
        if other["name"] == record["name"] and "CNAME" in {other["type"], record["type"]}:
            raise ApiError(
                400,
                f"The resource record set '{field}' is invalid because the DNS name "
                f"'{record['name']}' may have either one CNAME resource record set or resource "
                "record sets of other types, but not both.",
                reason="cnameResourceRecordSetConflict",
            )


def _of_path(call: Call) -> tuple[str, Json]:
    zones.load(call)
    wanted = {"name": call.path["name"].lower(), "type": call.path["type"]}
    key = key_of(zones.key_of(call), wanted)
    found: Json | None = call.store.get(key)
    if found is None:
        raise zones.missing("parameters.name", label(wanted))
    return key, found


async def create(call: Call) -> Json:
    """`resourceRecordSets.create`."""
    zone, zone_key = zones.load(call), zones.key_of(call)
    record = completed(zone, call.body, "entity.rrset")
    key = key_of(zone_key, record)
    if key in call.store:
        raise zones.taken("entity.rrset", label(record))
    others = (body for _, body in call.store.collection(f"{zone_key}/rrsets"))
    refuse_beside(others, record, "entity.rrset")
    call.store.put(key, record)
    return record


async def get(call: Call) -> Json:
    """`resourceRecordSets.get`."""
    return _of_path(call)[1]


async def list_(call: Call) -> Json:
    """`resourceRecordSets.list`, optionally by name and type."""
    zones.load(call)
    name, kind = call.one("name").lower(), call.one("type")
    found = [
        body
        for _, body in call.store.collection(f"{zones.key_of(call)}/rrsets")
        if name in {"", body["name"]} and kind in {"", body["type"]}
    ]
    chosen, token = page(call, found)
    listed = {"kind": "dns#resourceRecordSetsListResponse", "rrsets": chosen}
    return listed | ({"nextPageToken": token} if token else {})


async def patch(call: Call) -> Json:
    """`resourceRecordSets.patch`."""
    key, old = _of_path(call)
    fresh = completed(zones.load(call), {**old, **call.body}, "entity.rrset")
    call.store.put(key, fresh)
    return fresh


async def delete(call: Call) -> Json:
    """`resourceRecordSets.delete`. Refuses to delete a zone's NS and SOA record sets."""
    key, old = _of_path(call)
    refuse_apex(zones.load(call), old, "parameters.name")
    call.store.delete(key)
    return {}


def refuse_apex(zone: Json, record: Json, field: str) -> None:
    """Raise ApiError 400 for the NS and SOA record sets of the zone itself."""
    if record["name"] == zone["dnsName"] and record["type"] in zones.APEX:
        raise ApiError(
            400,
            f"The resource record set '{field}' is invalid because a zone must contain exactly "
            f"one resource record set of type '{record['type']}' at the apex.",
            reason="invalidZoneApex",
        )
