"""Certificate maps and their entries."""

from __future__ import annotations

from collections.abc import Iterator

from sandbox.gcp.collections import Collection
from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError, invalid_argument
from sandbox.gcp.service import Call, State
from sandbox.gcp.services.certificatemanager import issuance
from sandbox.gcp.services.certificatemanager.shared import (
    HOST,
    PREFIX,
    check_domain,
    common,
    referenced,
    refuse_used,
    without_empty,
)

_MOST_CERTIFICATES = 4


def _with_targets(state: State, document: Json) -> Json:
    """A map with the target proxies that serve it."""
    targets = [
        {"targetHttpsProxy": HOST.replace(PREFIX, "compute") + proxy}
        for proxy in issuance.proxies(state, document["name"])
    ]
    shown = without_empty(state, document)
    return shown | ({"gclbTargets": targets} if targets else {})


def _users_of_map(state: State, name: str) -> Iterator[str]:
    yield from (
        f"{name}/certificateMapEntries/{entry}" for entry, _ in issuance.entries(state, name)
    )
    yield from issuance.proxies(state, name)


def _complete_entry(call: Call, document: Json, old: Json | None) -> None:
    map_name = document["name"].partition("/certificateMapEntries/")[0]
    referenced(call.state, map_name, "certificate map")
    host, matcher = document.get("hostname"), document.get("matcher")
    if bool(host) == bool(matcher):
        raise invalid_argument("Exactly one of hostname and matcher must be set.")
    if host:
        check_domain(host, wildcard=True)
    certificates = document.get("certificates") or []
    if not 1 <= len(certificates) <= _MOST_CERTIFICATES:
        raise invalid_argument(
            f"An entry names 1 to {_MOST_CERTIFICATES} certificates, not {len(certificates)}."
        )
    for reference in certificates:
        referenced(call.state, reference, "certificate")
    document["certificates"] = [one.removeprefix(HOST) for one in certificates]
    document["state"] = "ACTIVE"
    if old is None:
        for other, body in issuance.entries(call.state, map_name):
            if (body.get("hostname"), body.get("matcher")) == (host, matcher):
                raise ApiError(409, f"Entry '{other}' has {host or matcher} already.")


MAPS = Collection(
    path="projects.locations.certificateMaps",
    noun="certificate map",
    id_parameter="certificateMapId",
    show=_with_targets,
    before_delete=refuse_used("certificate map", _users_of_map),
    **common("CertificateMap"),
)
ENTRIES = Collection(
    path="projects.locations.certificateMaps.certificateMapEntries",
    noun="certificate map entry",
    id_parameter="certificateMapEntryId",
    complete=_complete_entry,
    show=without_empty,
    **common("CertificateMapEntry", "certificates"),
)
