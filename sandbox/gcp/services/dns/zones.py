"""Managed zones. A fresh one has its name servers and its start of authority, and nothing else."""

from __future__ import annotations

import re
from typing import Any

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError
from sandbox.gcp.filters import page
from sandbox.gcp.service import USER, Call, Raw, numeric_id
from sandbox.gcp.service import now as time_now

APEX = frozenset({"NS", "SOA"})
"""The types of the two record sets at a zone's own name, which are always there."""

_NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_DNS_NAME = re.compile(r"(?:[a-z0-9_](?:[-a-z0-9_]{0,61}[a-z0-9_])?\.)+")
_SERVERS = tuple(f"ns-cloud-a{number}.googledomains.com." for number in range(1, 5))
_KEY_SPECS = (("keySigning", 2048), ("zoneSigning", 1024))


def key_of(call: Call) -> str:
    """The store's key of the zone in the request's path."""
    return f"dns/projects/{call.path['project']}/managedZones/{call.path['managedZone']}"


def load(call: Call) -> Json:
    """The zone in the request's path, by its name or its number. Raises 404."""
    found: Json | None = call.store.get(key_of(call))
    if found is None:
        raise missing("parameters.managedZone", call.path["managedZone"])
    return found


def missing(field: str, name: str) -> ApiError:
    """Cloud DNS's sentence for what is not there."""
    return ApiError(404, f"The '{field}' resource named '{name}' does not exist.")


def taken(field: str, name: str) -> ApiError:
    """Cloud DNS's sentence for what is there already."""
    return ApiError(409, f"The resource '{field}' named '{name}' already exists")


def bad(field: str, value: Any) -> ApiError:
    """Cloud DNS's sentence for a value that it does not take."""
    return ApiError(400, f"Invalid value for '{field}': '{value}'")


def required(field: str) -> ApiError:
    """Cloud DNS's sentence for a value that is not given."""
    return ApiError(400, f"The '{field}' parameter is required but was missing.", reason="required")


async def create(call: Call) -> Json:
    """`managedZones.create`."""
    project = call.path["project"]
    body = {k: v for k, v in call.body.items() if v is not None}
    name, dns_name = body.get("name", ""), str(body.get("dnsName", "")).lower()
    for field in ("name", "dnsName", "description"):
        if field not in body:
            raise required(f"entity.managedZone.{field}")
    if not _NAME.fullmatch(name):
        raise bad("entity.managedZone.name", name)
    if not _DNS_NAME.fullmatch(dns_name):
        raise bad("entity.managedZone.dnsName", body["dnsName"])
    key = f"dns/projects/{project}/managedZones/{name}"
    if key in call.store:
        raise taken("entity.managedZone", name)
    zone: Json = {
        **_completed(body),
        "kind": "dns#managedZone",
        "id": numeric_id(),
        "creationTime": time_now(),
        "dnsName": dns_name,
        "nameServers": list(_SERVERS),
        "visibility": body.get("visibility", "public"),
        "_changes": 1,
    }
    call.store.put(key, zone)
    authority = f"{_SERVERS[0]} cloud-dns-hostmaster.google.com. 1 21600 3600 259200 300"
    for kind, ttl, data in (("NS", 21600, list(_SERVERS)), ("SOA", 21600, [authority])):
        record = {"name": dns_name, "type": kind, "ttl": ttl, "rrdatas": data}
        call.store.put(f"{key}/rrsets/{dns_name}|{kind}", _as_record(record))
    return shown(zone)


def _as_record(record: Json) -> Json:
    return {**record, "kind": "dns#resourceRecordSet", "signatureRrdatas": []}


def _completed(body: Json) -> Json:
    security = body.get("dnssecConfig")
    logging = {
        "kind": "dns#managedZoneCloudLoggingConfig",
        **(body.get("cloudLoggingConfig") or {}),
    }
    zone = {**body, "cloudLoggingConfig": logging}
    if not security or security.get("state", "off") == "off":
        # Off and not said are the same to it.
        return {k: v for k, v in zone.items() if k != "dnssecConfig"}
    specs = [
        {
            "kind": "dns#dnsKeySpec",
            "algorithm": "rsasha256",
            "keyLength": length,
            "keyType": kind,
        }
        for kind, length in _KEY_SPECS
    ]
    zone["dnssecConfig"] = {
        "kind": "dns#managedZoneDnsSecConfig",
        "nonExistence": "nsec3",
        "defaultKeySpecs": specs,
        **security,
    }
    return zone


def shown(zone: Json) -> Json:
    """The zone as the API answers with it."""
    return {key: value for key, value in zone.items() if not key.startswith("_")}


async def get(call: Call) -> Json:
    """`managedZones.get`."""
    return shown(load(call))


async def list_(call: Call) -> Json:
    """`managedZones.list`."""
    found = [
        shown(zone)
        for _, zone in call.store.collection(f"dns/projects/{call.path['project']}/managedZones")
        if call.one("dnsName") in {"", zone["dnsName"]}
    ]
    chosen, token = page(call, found)
    listed = {"kind": "dns#managedZonesListResponse", "managedZones": chosen}
    return listed | ({"nextPageToken": token} if token else {})


async def patch(call: Call) -> Json:
    """`managedZones.patch`: what is not given stays."""
    old = load(call)
    return _change(call, old, {**old, **call.body})


async def update(call: Call) -> Json:
    """`managedZones.update`: what is not given is gone."""
    old = load(call)
    kept = (
        "id",
        "kind",
        "creationTime",
        "nameServers",
        "name",
        "dnsName",
        "visibility",
        "_changes",
    )
    return _change(call, old, {**{k: old[k] for k in kept}, **call.body})


def _change(call: Call, old: Json, fresh: Json) -> Json:
    for field in ("name", "dnsName", "visibility"):
        if str(fresh.get(field, "")).lower() != old[field]:
            raise bad(f"entity.managedZone.{field}", fresh.get(field))
    fresh = {k: v for k, v in fresh.items() if v is not None}
    call.store.put(key_of(call), _completed(fresh) | {"dnsName": old["dnsName"]})
    return {
        "kind": "dns#operation",
        "id": numeric_id(),
        "startTime": time_now(),
        "status": "done",
        "type": "update",
        "user": USER,
    }


async def delete(call: Call) -> Raw:
    """`managedZones.delete`; refused while it holds more than it was born with."""
    zone = load(call)
    key = key_of(call)
    records = list(call.store.collection(f"{key}/rrsets"))
    if any(r["name"] != zone["dnsName"] or r["type"] not in APEX for _, r in records):
        raise ApiError(
            400,
            f"The resource named '{zone['name']}' cannot be deleted because it contains one or "
            "more 'resource records'.",
            reason="containerNotEmpty",
        )
    for name, _ in records:
        call.store.delete(f"{key}/rrsets/{name}")
    for change, _ in list(call.store.collection(f"{key}/changes")):
        call.store.delete(f"{key}/changes/{change}")
    call.store.delete(key)
    return Raw(status=204)
