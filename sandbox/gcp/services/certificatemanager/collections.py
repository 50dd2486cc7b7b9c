"""What is special of each collection: what it takes, what it refuses, what it shows."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError
from sandbox.gcp.service import Call, State
from sandbox.gcp.services import pem
from sandbox.gcp.services.certificatemanager import issuance

PREFIX = "certificatemanager"
HOST = "//certificatemanager.googleapis.com/"
MOST_DOMAINS = 100
MOST_CERTIFICATES = 4
"""Certificates that one entry of a map may name."""

_LABEL = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})+")
_REFERENCE = re.compile(r"projects/[^/]+/locations/[^/]+/[A-Za-z]+/[^/]+")

Complete = Callable[[Call, str, Json, Json | None], None]
"""(call, name, new document to change, old document or None on create)."""


@dataclass(frozen=True, slots=True)
class Collection:
    """One collection."""

    listed: str
    schema: str
    id_parameter: str
    noun: str
    mutable: frozenset[str]
    """What a patch may change beside description and labels."""
    complete: Complete
    show: Callable[[State, str, Json], Json]
    users: Callable[[State, str], Iterator[str]]
    """What keeps it from being deleted."""


def bad(message: str) -> ApiError:
    """400 INVALID_ARGUMENT."""
    return ApiError(400, message)


def load(state: State, reference: str, what: str) -> Json:
    """The document that a reference names. Raises 400 for a bad one, 404 for none."""
    name = reference.removeprefix(HOST)
    if not _REFERENCE.fullmatch(name):
        raise bad(f"Invalid {what} reference: {reference!r}; use the full resource name.")
    found: Json | None = state.store.get(f"{PREFIX}/{name}")
    if found is None:
        raise ApiError(404, f"Resource '{name}' was not found")
    return found


def _check_domain(domain: str, *, wildcard: bool) -> None:
    if not _DOMAIN.fullmatch(domain) or (domain.startswith("*.") and not wildcard):
        raise bad(f"Invalid domain name: {domain!r}.")


def _complete_certificate(call: Call, _: str, document: Json, old: Json | None) -> None:
    kinds = [k for k in ("managed", "selfManaged", "managedIdentity") if document.get(k)]
    if len(kinds) != 1:
        raise bad("A certificate is one of managed, self_managed and managed_identity.")
    if kinds == ["managedIdentity"]:
        raise ApiError(501, "sandbox does not emulate certificates of managed identities")
    own = document.get("selfManaged")
    if own:
        _complete_own(document, own, old)
        return
    managed = document["managed"]
    domains = managed.get("domains") or []
    if not domains:
        raise bad("managed.domains must not be empty.")
    if len(domains) > MOST_DOMAINS:
        raise bad(f"managed.domains holds {len(domains)} domains; at most {MOST_DOMAINS}.")
    if len(set(domains)) != len(domains):
        raise bad("managed.domains names a domain twice.")
    proven = {
        str(load(call.state, reference, "DNS authorization")["domain"])
        for reference in managed.get("dnsAuthorizations") or []
    }
    for domain in domains:
        _check_domain(domain, wildcard=True)
        if domain.startswith("*.") and not proven:
            raise bad(f"Wildcard domain {domain!r} needs a DNS authorization.")
        if proven and domain.removeprefix("*.") not in proven:
            raise bad(f"No DNS authorization is given for domain {domain!r}.")
    document["sanDnsnames"] = list(domains)


def _complete_own(document: Json, own: Json, old: Json | None) -> None:
    certificate, key = own.pop("pemCertificate", None), own.pop("pemPrivateKey", None)
    if old is not None and certificate is None:
        return
    if not certificate or not key:
        raise bad("self_managed needs pem_certificate and pem_private_key.")
    try:
        parsed = pem.pair(certificate, key)
    except pem.PemError as error:
        raise bad(str(error)) from None
    # The key is taken and never shown.
    document["pemCertificate"] = certificate
    document["expireTime"] = parsed.expires
    document["sanDnsnames"] = list(parsed.domains)


def _show_certificate(state: State, name: str, document: Json) -> Json:
    shown = dict(document)
    if document.get("managed"):
        shown["managed"] = issuance.managed(state, name, document)
    return shown


def _complete_map(call: Call, name: str, document: Json, old: Json | None) -> None:
    """Nothing is special of a map."""


def _show_map(state: State, name: str, document: Json) -> Json:
    targets = [
        {"targetHttpsProxy": HOST.replace(PREFIX, "compute") + proxy}
        for proxy in issuance.proxies(state, name)
    ]
    return document | ({"gclbTargets": targets} if targets else {})


def _complete_entry(call: Call, name: str, document: Json, old: Json | None) -> None:
    map_name = name.partition("/certificateMapEntries/")[0]
    load(call.state, map_name, "certificate map")
    host, matcher = document.get("hostname"), document.get("matcher")
    if bool(host) == bool(matcher):
        raise bad("Exactly one of hostname and matcher must be set.")
    if host:
        _check_domain(host, wildcard=True)
    certificates = document.get("certificates") or []
    if not 1 <= len(certificates) <= MOST_CERTIFICATES:
        raise bad(f"An entry names 1 to {MOST_CERTIFICATES} certificates, not {len(certificates)}.")
    for reference in certificates:
        load(call.state, reference, "certificate")
    document["certificates"] = [one.removeprefix(HOST) for one in certificates]
    document["state"] = "ACTIVE"
    if old is None:
        for other, body in call.store.collection(f"{PREFIX}/{map_name}/certificateMapEntries"):
            if (body.get("hostname"), body.get("matcher")) == (host, matcher):
                raise ApiError(409, f"Entry '{other}' has {host or matcher} already.")


def _complete_authorization(_: Call, __: str, document: Json, old: Json | None) -> None:
    domain = document.get("domain")
    if not domain:
        raise bad("domain must be set.")
    _check_domain(domain, wildcard=False)
    if old is not None:
        return
    kind = document.setdefault("type", "FIXED_RECORD")
    prefix = "_acme-challenge"
    if kind == "PER_PROJECT_RECORD":
        prefix = f"_acme-challenge_{uuid.uuid4().hex[:16]}"
    document["dnsResourceRecord"] = {
        "name": f"{prefix}.{domain}.",
        "type": "CNAME",
        "data": f"{uuid.uuid4()}.0.authorize.certificatemanager.goog.",
    }


def _plain(_: State, __: str, document: Json) -> Json:
    return document


def _users_of_map(state: State, name: str) -> Iterator[str]:
    yield from (
        f"{name}/certificateMapEntries/{entry}" for entry, _ in issuance.entries(state, name)
    )
    yield from issuance.proxies(state, name)


def _nobody(_: State, __: str) -> Iterator[str]:
    return iter(())


COLLECTIONS = {
    "certificates": Collection(
        "certificates",
        "Certificate",
        "certificateId",
        "certificate",
        frozenset({"selfManaged"}),
        _complete_certificate,
        _show_certificate,
        issuance.users_of_certificate,
    ),
    "certificateMaps": Collection(
        "certificateMaps",
        "CertificateMap",
        "certificateMapId",
        "certificate map",
        frozenset(),
        _complete_map,
        _show_map,
        _users_of_map,
    ),
    "certificateMaps.certificateMapEntries": Collection(
        "certificateMapEntries",
        "CertificateMapEntry",
        "certificateMapEntryId",
        "certificate map entry",
        frozenset({"certificates"}),
        _complete_entry,
        _plain,
        _nobody,
    ),
    "dnsAuthorizations": Collection(
        "dnsAuthorizations",
        "DnsAuthorization",
        "dnsAuthorizationId",
        "DNS authorization",
        frozenset(),
        _complete_authorization,
        _plain,
        issuance.users_of_authorization,
    ),
}
