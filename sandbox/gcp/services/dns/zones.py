"""Managed zones. A new one has its NS and SOA record sets only.

They use the collection engine, with Cloud DNS's own conventions: the id is the body's `name`,
changes answer with a `dns#operation`, and deletion with 204.
"""

from __future__ import annotations

import re
from typing import Any

from sandbox.gcp.collections import Collection, Messages
from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError
from sandbox.gcp.service import USER, Call, Raw, numeric_id
from sandbox.gcp.service import now as time_now

APEX = frozenset({"NS", "SOA"})
"""The types of the two record sets that every zone has at its own name."""

_DNS_NAME = re.compile(r"(?:[a-z0-9_](?:[-a-z0-9_]{0,61}[a-z0-9_])?\.)+")
_SERVERS = tuple(f"ns-cloud-a{number}.googledomains.com." for number in range(1, 5))
_FIXED = (
    "id",
    "kind",
    "creationTime",
    "nameServers",
    "name",
    "dnsName",
    "visibility",
    "_changes",
)
_KEY_SPECS = (("keySigning", 2048), ("zoneSigning", 1024))


def key_of(call: Call) -> str:
    """The store's key of the zone in the request's path."""
    return f"dns/projects/{call.path['project']}/managedZones/{call.path['managedZone']}"


def load(call: Call) -> Json:
    """The zone in the request's path. Raises ApiError 404."""
    return ZONES.load(call.state, key_of(call).removeprefix("dns/"))


def missing(field: str, name: str) -> ApiError:
    """Cloud DNS's error for a missing resource."""
    return ApiError(404, f"The '{field}' resource named '{name}' does not exist.")


def taken(field: str, name: str) -> ApiError:
    """Cloud DNS's error for a name that is taken."""
    return ApiError(409, f"The resource '{field}' named '{name}' already exists")


def bad(field: str, value: Any) -> ApiError:
    """Cloud DNS's error for an invalid value."""
    return ApiError(400, f"Invalid value for '{field}': '{value}'")


def required(field: str) -> ApiError:
    """Cloud DNS's error for a missing value."""
    return ApiError(400, f"The '{field}' parameter is required but was missing.", reason="required")


def _require_fields(call: Call) -> None:
    for field in ("name", "dnsName", "description"):
        if call.body.get(field) is None:
            raise required(f"entity.managedZone.{field}")


def _complete(call: Call, zone: Json, old: Json | None) -> None:
    if old is None:
        dns_name = str(zone["dnsName"]).lower()
        if not _DNS_NAME.fullmatch(dns_name):
            raise bad("entity.managedZone.dnsName", zone["dnsName"])
        zone |= {
            "kind": "dns#managedZone",
            "id": numeric_id(),
            "creationTime": time_now(),
            "dnsName": dns_name,
            "nameServers": list(_SERVERS),
            "visibility": zone.get("visibility", "public"),
            "_changes": 1,
        }
    else:
        _keep_fixed(call, zone, old)
    if zone["visibility"] == "public":
        # The official plugin sends every zone an empty one; only a private zone has it.
        given = zone.pop("privateVisibilityConfig", None) or {}
        if given.get("networks") or given.get("gkeClusters"):
            raise bad("entity.managedZone.privateVisibilityConfig", "for a public zone")
    _complete_security(zone)
    logging = zone.get("cloudLoggingConfig") or {}
    zone["cloudLoggingConfig"] = {"kind": "dns#managedZoneCloudLoggingConfig", **logging}


def _keep_fixed(call: Call, zone: Json, old: Json) -> None:
    for field in ("name", "dnsName", "visibility"):
        if str(call.body.get(field, old[field])).lower() != old[field]:
            raise bad(f"entity.managedZone.{field}", call.body.get(field))
    zone |= {field: old[field] for field in _FIXED}


def _complete_security(zone: Json) -> None:
    security = zone.get("dnssecConfig")
    if not security or security.get("state", "off") == "off":
        # Google does not distinguish "off" from no configuration.
        zone.pop("dnssecConfig", None)
        return
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


def _create_apex_records(call: Call, zone: Json) -> None:
    name = zone["dnsName"]
    authority = f"{_SERVERS[0]} cloud-dns-hostmaster.google.com. 1 21600 3600 259200 300"
    for kind, data in (("NS", list(_SERVERS)), ("SOA", [authority])):
        record: Json = {"name": name, "type": kind, "ttl": 21600, "rrdatas": data}
        record |= {"kind": "dns#resourceRecordSet", "signatureRrdatas": []}
        key = ZONES.key(f"{call.url_path}/{zone['name']}/rrsets/{name}|{kind}")
        call.store.put(key, record)


def _refuse_with_records(call: Call, zone: Json) -> None:
    records = [record for _, record in call.store.collection(f"{key_of(call)}/rrsets")]
    if any(r["name"] != zone["dnsName"] or r["type"] not in APEX for r in records):
        raise ApiError(
            400,
            f"The resource named '{zone['name']}' cannot be deleted because it contains one or "
            "more 'resource records'.",
            reason="containerNotEmpty",
        )


def _answer(call: Call, verb: str, name: str, shown: Json) -> Json | Raw:  # noqa: ARG001
    if verb == "create":
        return shown
    if verb == "delete":
        return Raw(status=204)
    return {
        "kind": "dns#operation",
        "id": numeric_id(),
        "startTime": time_now(),
        "status": "done",
        "type": "update",
        "user": USER,
    }


ZONES = Collection(
    service="dns",
    path="managedZones",
    noun="managed zone",
    messages=Messages(
        missing="The 'parameters.managedZone' resource named '{id}' does not exist.",
        exists="The resource 'entity.managedZone' named '{id}' already exists",
        bad_id="Invalid value for 'entity.managedZone.name': '{id}'",
    ),
    verbs=("create", "get", "list", "patch", "update", "delete"),
    before_create=_require_fields,
    new_id=lambda call: str(call.body["name"]),
    id_pattern=re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?"),
    name=lambda path: path.rpartition("/")[2],
    without_mask="given",
    complete=_complete,
    after_create=_create_apex_records,
    before_delete=_refuse_with_records,
    children=("rrsets", "changes"),
    answer=_answer,
    list_kind="dns#managedZonesListResponse",
    listed=lambda call, zone: call.one("dnsName") in {"", zone["dnsName"]},
)
