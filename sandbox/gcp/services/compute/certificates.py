"""Classic SSL certificates, self-managed and Google-managed."""

from __future__ import annotations

import re
import time

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError, invalid
from sandbox.gcp.service import State
from sandbox.gcp.services import issuance_time, pem
from sandbox.gcp.services.compute import serving
from sandbox.gcp.services.compute.place import Place
from sandbox.gcp.services.dns.lookup import lookup

MOST_DOMAINS = 100
_REASONS = {
    "certificate": "sslCertificateCouldNotParseCert",
    "key": "sslCertificateCouldNotParseKey",
}
_LONGEST_DOMAIN = 63
_DOMAIN = re.compile(
    r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)+\.?"
)


def complete(state: State, place: Place, document: Json, old: Json | None) -> None:  # noqa: ARG001
    """Set the defaults of a certificate; the private key is never returned."""
    managed = document.get("managed")
    if managed:
        if not managed.get("domains"):
            message = "Required field 'resource.managed.domains' not specified"
            raise ApiError(400, message, reason="required")
        _check_domains(managed["domains"])
        document["type"] = "MANAGED"
        document.setdefault("_issued", time.time() + state.latency)
        return
    own = document.pop("selfManaged", None) or {}
    certificate = document.get("certificate") or own.get("certificate")
    key = document.pop("privateKey", None) or own.get("privateKey")
    if old is None and not (certificate and key):
        raise ApiError(400, "Required field 'resource.privateKey' not specified", reason="required")
    if key:
        try:
            parsed = pem.pair(str(certificate), str(key))
        except pem.PemError as error:
            raise ApiError(400, str(error), reason=_REASONS.get(error.what)) from None
        if state.private_keys is not None:
            state.private_keys.keep(str(certificate), str(key))
        document["expireTime"] = parsed.expires.replace("Z", ".000-00:00")
        if parsed.domains:
            document["subjectAlternativeNames"] = list(parsed.domains)
    document["type"] = "SELF_MANAGED"
    document["certificate"] = certificate
    document["selfManaged"] = {"certificate": certificate}


def _check_domains(domains: list[str]) -> None:
    """Raise 400 for domains that a classic managed certificate cannot have, such as wildcards."""
    field = "resource.managed.domains"
    if len(domains) > MOST_DOMAINS:
        raise invalid(field, len(domains), f"At most {MOST_DOMAINS} domains are allowed.")
    for index, domain in enumerate(domains):
        if not _DOMAIN.fullmatch(domain) or len(domain) > _LONGEST_DOMAIN:
            raise invalid(f"{field}[{index}]", domain, "The domain name is not valid.")


def shown(state: State, place: Place, document: Json) -> None:
    """A managed certificate is PROVISIONING until its domains resolve to a proxy that serves it.

    Google validates a domain over the load balancer, and takes its time then (`State.issuance`).
    An issued certificate stays ACTIVE.
    """
    managed = document.get("managed")
    if not managed:
        return
    domains = managed["domains"]
    if not document.get("_active") and time.time() >= document["_issued"]:
        found = set(serving.addresses_of_certificate(state, place.path))
        proven = {domain: bool(found & set(lookup(state, domain, "A"))) for domain in domains}
        if not all(proven.values()):
            if document.pop("_proven", None):
                state.store.put(place.key, document)
            managed["status"] = "PROVISIONING"
            failed = "FAILED_NOT_VISIBLE" if found else "PROVISIONING"
            managed["domainStatus"] = {d: "ACTIVE" if proven[d] else failed for d in domains}
            return
        if "_proven" not in document:
            document["_proven"] = time.time()
            state.store.put(place.key, document)
        if issuance_time.is_over(state, document["_proven"]):
            document["_active"] = True
            document["expireTime"] = issuance_time.expiry("%Y-%m-%dT%H:%M:%S.000-00:00")
            document["subjectAlternativeNames"] = list(domains)
            state.store.put(place.key, document)
    status = "ACTIVE" if document.get("_active") else "PROVISIONING"
    managed["status"] = status
    managed["domainStatus"] = dict.fromkeys(domains, status)


def is_being_issued(document: Json) -> bool:
    """Whether the domains of a managed certificate are proven, and it is not issued yet."""
    return "_proven" in document and not document.get("_active")
