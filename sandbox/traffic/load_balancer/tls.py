"""TLS to clients: certificates by host name, and the SSL policy's versions and ciphers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sandbox.gcp.services.compute.place import Place, of_reference
from sandbox.gcp.store import Json
from sandbox.traffic.load_balancer.route_actions import TYPE
from sandbox.traffic.load_balancer.snapshot import Snapshot
from sandbox.traffic.load_balancer.surroundings import KeyPair, Surroundings
from sandbox.traffic.load_balancer.unsupported import Document

_MAP_HOST = "//certificatemanager.googleapis.com/"
_VERSIONS = {"TLS_1_0": "TLSv1_0", "TLS_1_1": "TLSv1_1", "TLS_1_2": "TLSv1_2", "TLS_1_3": "TLSv1_3"}
# Names of OpenSSL, which BoringSSL uses.
_CIPHERS = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA": "AES128-SHA",
    "TLS_RSA_WITH_AES_128_GCM_SHA256": "AES128-GCM-SHA256",
    "TLS_RSA_WITH_AES_256_CBC_SHA": "AES256-SHA",
    "TLS_RSA_WITH_AES_256_GCM_SHA384": "AES256-GCM-SHA384",
}
"""BoringSSL has no 3DES any more: TLS_RSA_WITH_3DES_EDE_CBC_SHA is never agreed on."""
_CONTEXT = f"{TYPE}envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"


def chains(
    snapshot: Snapshot, surroundings: Surroundings, place: Place, proxy: Document
) -> Iterator[tuple[list[str], Json]]:
    """Host names and transport socket of each set of certificates of a target HTTPS proxy.

    No host names stand for all that no other set names. A certificate that is not issued yet is
    left out, as Google leaves it out; without any, handshakes fail.
    """
    parameters = _parameters(snapshot, place, proxy)
    for names, certificates in _certificates(snapshot, place, proxy):
        pairs = [pair for one in certificates if (pair := surroundings.certificate(one))]
        if pairs:
            yield names, _socket(pairs, parameters)


def _certificates(
    snapshot: Snapshot, place: Place, proxy: Document
) -> Iterator[tuple[list[str], tuple[str, ...]]]:
    given = proxy.text("certificateMap").removeprefix(_MAP_HOST)
    classic = proxy.texts("sslCertificates")
    if not given:
        yield [], tuple(path for one in classic if (path := _path(one, place.project)))
        return
    # A map replaces the classic certificates.
    by_certificates: dict[tuple[str, ...], list[str]] = {}
    primary: tuple[str, ...] | None = None
    for name, _ in snapshot.children(f"certificatemanager/{given}/certificateMapEntries"):
        entry = snapshot.open(f"certificatemanager/{given}/certificateMapEntries/{name}")
        for field in ("state", "createTime", "updateTime"):
            entry.value(field)
        certificates = tuple(entry.texts("certificates"))
        if host := entry.text("hostname"):
            by_certificates.setdefault(certificates, []).append(host.lower())
        elif entry.text("matcher") == "PRIMARY":
            primary = certificates
    for certificates, hosts in by_certificates.items():
        yield sorted(hosts), certificates
    if primary:
        yield [], primary


def _path(reference: str, project: str) -> str | None:
    """The path of a certificate of Compute Engine or, on regional proxies, Certificate Manager."""
    if reference.startswith(_MAP_HOST):
        return reference.removeprefix(_MAP_HOST)
    found = of_reference(reference, project)
    return found.path if found else None


def _parameters(snapshot: Snapshot, place: Place, proxy: Document) -> Json:
    found = snapshot.find(proxy.text("sslPolicy"), place.project)
    least, ciphers = "TLS_1_0", list(_CIPHERS)
    if found is not None:
        policy = found[1]
        least = policy.text("minTlsVersion") or least
        ciphers = policy.texts("enabledFeatures") or ciphers
        for field in ("profile", "customFeatures"):
            policy.value(field)
    parameters: dict[str, Any] = {
        "tls_minimum_protocol_version": _VERSIONS[least],
        "tls_maximum_protocol_version": "TLSv1_3",
    }
    if known := [_CIPHERS[one] for one in ciphers if one in _CIPHERS]:
        parameters["cipher_suites"] = known
    return parameters


def _socket(pairs: list[KeyPair], parameters: Json) -> Json:
    certificates = [
        {
            "certificate_chain": {"filename": str(pair.chain)},
            "private_key": {"filename": str(pair.key)},
        }
        for pair in pairs
    ]
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": _CONTEXT,
            "common_tls_context": {
                "tls_params": parameters,
                "tls_certificates": certificates,
                "alpn_protocols": ["h2", "http/1.1"],
            },
        },
    }
