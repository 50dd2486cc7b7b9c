"""Resolution of names, as if every public zone were delegated."""

from __future__ import annotations

from sandbox.gcp.discovery import Json
from sandbox.gcp.service import State

_MOST_ALIASES = 8


def lookup(state: State, name: str, kind: str) -> list[str]:
    """The data of the record set of type `kind` for `name`. Follows CNAMEs."""
    wanted = f"{name.lower().rstrip('.')}."
    for _ in range(_MOST_ALIASES):
        if found := _answer(state, wanted, kind):
            return found
        alias = _answer(state, wanted, "CNAME")
        if not alias or kind == "CNAME":
            return []
        wanted = alias[0].lower()
    return []


def _answer(state: State, name: str, kind: str) -> list[str]:
    """From the zone with the longest matching name, by exact name or by wildcard."""
    zones = [
        (key, zone)
        for key, zone in state.store.below("dns/projects")
        if zone.get("kind") == "dns#managedZone"
        and zone["visibility"] == "public"
        and (name == zone["dnsName"] or name.endswith(f".{zone['dnsName']}"))
    ]
    for key, _ in sorted(zones, key=lambda one: -len(one[1]["dnsName"])):
        wildcard = f"*.{name.partition('.')[2]}"
        for candidate in (name, wildcard):
            record: Json | None = state.store.get(f"{key}/rrsets/{candidate}|{kind}")
            if record is not None:
                return [str(value) for value in record.get("rrdatas") or []]
    return []
