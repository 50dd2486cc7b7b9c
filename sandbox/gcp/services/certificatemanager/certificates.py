"""Certificates and DNS authorizations."""

from __future__ import annotations

import time
import uuid

from sandbox.gcp.collections import Collection
from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError, invalid_argument
from sandbox.gcp.service import Call, State
from sandbox.gcp.services import pem
from sandbox.gcp.services.certificatemanager import issuance
from sandbox.gcp.services.certificatemanager.shared import (
    check_domain,
    common,
    referenced,
    refuse_used,
    without_empty,
)

_MOST_DOMAINS = 100


def _complete_certificate(call: Call, document: Json, old: Json | None) -> None:
    # A self-managed certificate is kept without its PEM texts: an empty field counts.
    kinds = [k for k in ("managed", "selfManaged", "managedIdentity") if k in document]
    if len(kinds) != 1:
        raise invalid_argument(
            "A certificate is one of managed, self_managed and managed_identity."
        )
    if kinds == ["managedIdentity"]:
        raise ApiError(501, "sandbox does not emulate certificates of managed identities")
    if old is None:
        document["_from"] = time.time() + call.state.latency
    own = document.get("selfManaged")
    if own is not None:
        _complete_self_managed(call.state, document, own, old)
        return
    managed = document["managed"]
    domains = managed.get("domains") or []
    if not domains:
        raise invalid_argument("managed.domains must not be empty.")
    if len(domains) > _MOST_DOMAINS:
        raise invalid_argument(
            f"managed.domains holds {len(domains)} domains; at most {_MOST_DOMAINS}."
        )
    if len(set(domains)) != len(domains):
        raise invalid_argument("managed.domains names a domain twice.")
    proven = {
        str(referenced(call.state, reference, "DNS authorization")["domain"])
        for reference in managed.get("dnsAuthorizations") or []
    }
    for domain in domains:
        check_domain(domain, wildcard=True)
        if domain.startswith("*.") and not proven:
            raise invalid_argument(f"Wildcard domain {domain!r} needs a DNS authorization.")
        if proven and domain.removeprefix("*.") not in proven:
            raise invalid_argument(f"No DNS authorization is given for domain {domain!r}.")
    document["sanDnsnames"] = list(domains)


def _complete_self_managed(state: State, document: Json, own: Json, old: Json | None) -> None:
    certificate, key = own.pop("pemCertificate", None), own.pop("pemPrivateKey", None)
    if old is not None and certificate is None:
        return
    if not certificate or not key:
        raise invalid_argument("self_managed needs pem_certificate and pem_private_key.")
    try:
        parsed = pem.pair(certificate, key)
    except pem.PemError as error:
        raise invalid_argument(str(error)) from None
    if state.private_keys is not None:
        state.private_keys.keep(certificate, key)
    # The private key is never shown.
    document["pemCertificate"] = certificate
    document["expireTime"] = parsed.expires
    document["sanDnsnames"] = list(parsed.domains)


def _show_certificate(state: State, document: Json) -> Json:
    shown = without_empty(state, document)
    if document.get("managed"):
        shown["managed"] = issuance.managed(state, document["name"], document)
    return shown


def _complete_authorization(_: Call, document: Json, old: Json | None) -> None:
    domain = document.get("domain")
    if not domain:
        raise invalid_argument("domain must be set.")
    check_domain(domain, wildcard=False)
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


CERTIFICATES = Collection(
    path="projects.locations.certificates",
    noun="certificate",
    id_parameter="certificateId",
    complete=_complete_certificate,
    show=_show_certificate,
    before_delete=refuse_used("certificate", issuance.all_users_of_certificate),
    **common("Certificate", "selfManaged"),
)
AUTHORIZATIONS = Collection(
    path="projects.locations.dnsAuthorizations",
    noun="DNS authorization",
    id_parameter="dnsAuthorizationId",
    complete=_complete_authorization,
    show=without_empty,
    before_delete=refuse_used("DNS authorization", issuance.users_of_authorization),
    **common("DnsAuthorization"),
)
