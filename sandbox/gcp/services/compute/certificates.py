"""Classic SSL certificates: one's own, and Google-managed ones that take a while."""

from __future__ import annotations

import re
import ssl
import time
from datetime import UTC, datetime

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError
from sandbox.gcp.service import State
from sandbox.gcp.services.compute.place import Place


def complete(state: State, place: Place, document: Json, old: Json | None) -> None:  # noqa: ARG001
    """Defaults of a certificate; the private key is taken and never shown."""
    managed = document.get("managed")
    if managed:
        if not managed.get("domains"):
            message = "Required field 'resource.managed.domains' not specified"
            raise ApiError(400, message, reason="required")
        document["type"] = "MANAGED"
        document.setdefault("_issued", time.time() + state.latency)
        return
    own = document.pop("selfManaged", None) or {}
    certificate = document.get("certificate") or own.get("certificate")
    key = document.pop("privateKey", None) or own.get("privateKey")
    if old is None and not (certificate and key):
        raise ApiError(400, "Required field 'resource.privateKey' not specified", reason="required")
    if not str(certificate).lstrip().startswith("-----BEGIN CERTIFICATE"):
        raise ApiError(
            400,
            "The SSL certificate could not be parsed.",
            reason="sslCertificateCouldNotParseCert",
        )
    document["type"] = "SELF_MANAGED"
    expiry = _expiry(str(certificate))
    if expiry:
        document["expireTime"] = expiry
    document["certificate"] = certificate
    document["selfManaged"] = {"certificate": certificate}


def _expiry(certificate: str) -> str | None:
    """When a PEM certificate ends: the second time in it (X.509's validity is two times)."""
    try:
        der = ssl.PEM_cert_to_DER_cert(certificate.strip())
    except ValueError:
        raise ApiError(
            400,
            "The SSL certificate could not be parsed.",
            reason="sslCertificateCouldNotParseCert",
        ) from None
    times = [
        datetime.strptime(found.decode(), "%y%m%d%H%M%SZ" if len(found) == 13 else "%Y%m%d%H%M%SZ")
        for pair in re.findall(rb"\x17\x0d(\d{12}Z)|\x18\x0f(\d{14}Z)", der)
        for found in pair
        if found
    ]
    if len(times) < 2:
        return None
    return times[1].replace(tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%S.000-00:00")


def shown(state: State, place: Place, document: Json) -> None:
    """A managed certificate is PROVISIONING until a proxy serves it, then ACTIVE."""
    managed = document.get("managed")
    if not managed:
        return
    served = bool(state.store.users(place.path)) and time.time() >= document["_issued"]
    status = "ACTIVE" if served else "PROVISIONING"
    managed["status"] = status
    managed["domainStatus"] = dict.fromkeys(managed["domains"], status)
