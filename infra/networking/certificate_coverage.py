"""Validation of domains, certificates, private keys and DNS against each other.

Errors are `ValueError`s that begin with a key of `gke-networking`; the configuration reader adds
file and namespace.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

from gkeplatform.config import suggestion
from gkeplatform.hosts import covers
from infra.networking import own_certificates
from infra.networking.tls import (
    Certificate,
    GoogleManagedCertificate,
    ManagerCertificate,
    OwnCertificate,
)

if TYPE_CHECKING:
    from infra.networking.config import NetworkingConfig

MOST_DOMAINS = 100
"""Domains per certificate."""
MOST_CERTIFICATES = 15
"""Classic certificates per target proxy."""
LONGEST_CLASSIC = 63
"""Longest domain of a classic Google-managed certificate."""
IAP_NEEDS_HTTPS = (
    "Identity-Aware Proxy needs HTTPS, and there are no certificates; list one in "
    "gke-networking:certificates, or remove iap"
)
"""The rest of an error message that begins with the key of `iap`."""

_LABEL = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})+")
_LONGEST = 253


def check(config: NetworkingConfig) -> None:
    """`ValueError` for the first contradiction between the keys."""
    _certificates(config.certificates)
    _domains(config)
    _keys(config)
    _dns(config)
    if config.iap and not config.serves_https:
        raise ValueError(f"iap: {IAP_NEEDS_HTTPS}")
    if config.https.redirect and not config.serves_https:
        raise ValueError(
            "https.redirect: true, but there are no certificates for HTTPS; "
            "list one in gke-networking:certificates, or set redirect: false"
        )


def serving(domain: str, certificates: Iterable[Certificate]) -> Iterator[str]:
    """The names of the certificates that cover `domain`."""
    for certificate in certificates:
        if any(covers(pattern, domain) for pattern in certificate.domains):
            yield certificate.name


def problem(domain: str) -> str | None:
    """Why a domain is invalid, with the likely correction; None where it is valid."""
    if _DOMAIN.fullmatch(domain) and len(domain) <= _LONGEST:
        return None
    meant = re.sub(r"^[a-z]+://", "", domain.strip().lower()).partition("/")[0]
    meant = re.sub(r"[_\s]", "-", meant.partition(":")[0]).strip(".")
    hint = f'; did you mean "{meant}"?' if meant != domain and _DOMAIN.fullmatch(meant) else ""
    return (
        f'"{domain}" is not a domain: lower-case labels of letters, digits and hyphens with dots '
        f"between them, and at most one * as the first{hint}"
    )


def _certificates(certificates: Sequence[Certificate]) -> None:
    names = [certificate.name for certificate in certificates]
    for index, certificate in enumerate(certificates):
        key = f"certificates[{index}]"
        if names.index(certificate.name) != index:
            raise ValueError(f'{key}.name: "{certificate.name}" is the name of another certificate')
        _own_domains(key, certificate)
        if certificate.replaces is not None and certificate.replaces not in names:
            raise ValueError(
                f'{key}.replaces: "{certificate.replaces}" names no certificate; '
                f"{suggestion(certificate.replaces, [n for n in names if n != certificate.name])}"
            )
    _clashes(certificates)
    _mixture(certificates)


def _own_domains(key: str, certificate: Certificate) -> None:
    is_classic = isinstance(certificate, GoogleManagedCertificate)
    by_address = isinstance(certificate, ManagerCertificate) and certificate.authorization != "dns"
    count = len(certificate.domains)
    if count > MOST_DOMAINS:
        raise ValueError(
            f"{key}.domains: {count} domains, and a certificate holds at most {MOST_DOMAINS}; "
            f"move {count - MOST_DOMAINS} to another certificate"
        )
    for index, domain in enumerate(certificate.domains):
        where = f"{key}.domains[{index}]"
        if wrong := problem(domain):
            raise ValueError(f"{where}: {wrong}")
        if certificate.domains.index(domain) != index:
            raise ValueError(
                f'{where}: "{domain}" is listed twice in certificate {certificate.name}'
            )
        if domain.startswith("*.") and (is_classic or by_address):
            raise ValueError(
                f'{where}: "{domain}" is a wildcard, which needs DNS authorization; use kind: '
                "certificate-manager with authorization: dns, or list each domain"
            )
        if is_classic and len(domain) > LONGEST_CLASSIC:
            raise ValueError(
                f'{where}: "{domain}" has {len(domain)} characters, and a google-managed '
                f"certificate takes {LONGEST_CLASSIC}; use kind: certificate-manager"
            )


def _clashes(certificates: Sequence[Certificate]) -> None:
    numbered = list(enumerate(certificates))
    for (_, one), (index, other) in combinations(numbered, 2):
        if one.name in {other.replaces} or other.name in {one.replaces}:
            continue
        shared = [domain for domain in other.domains if domain in one.domains]
        if shared:
            raise ValueError(
                f'certificates[{index}].domains: "{shared[0]}" is claimed by certificate '
                f"{one.name} too; remove it from one of them, or set `replaces: {one.name}` while "
                f"{other.name} takes over"
            )


def _mixture(certificates: Sequence[Certificate]) -> None:
    mapped = [c.name for c in certificates if isinstance(c, ManagerCertificate)]
    classic = [
        (i, c.name) for i, c in enumerate(certificates) if isinstance(c, GoogleManagedCertificate)
    ]
    if mapped and classic:
        index, name = classic[0]
        raise ValueError(
            f"certificates[{index}].kind: google-managed, beside certificate-manager of "
            f"{mapped[0]}: a certificate map and classic certificates exclude each other; "
            f"make {name} certificate-manager too"
        )
    if not mapped and len(certificates) > MOST_CERTIFICATES:
        raise ValueError(
            f"certificates: {len(certificates)}, and a load balancer takes {MOST_CERTIFICATES} "
            "classic ones; make one of them certificate-manager, and all go into a map"
        )


def _domains(config: NetworkingConfig) -> None:
    names = [domain.name for domain in config.domains]
    if config.certificates and not names:
        raise ValueError(
            "domains: empty, and HTTPS needs domains; list those that the certificates "
            f"cover, such as {config.certificates[0].domains[0]}"
        )
    if config.certificates and all(name.startswith("*.") for name in names):
        raise ValueError(
            f"domains: all are wildcards; list one for the models without hosts, such as "
            f"models.{names[0][2:]}"
        )
    for index, domain in enumerate(config.domains):
        where = f"domains[{index}]"
        if wrong := problem(domain.name):
            raise ValueError(f"{where}.name: {wrong}")
        if names.index(domain.name) != index:
            raise ValueError(f'{where}.name: "{domain.name}" is listed twice')
        known = {certificate.name for certificate in config.certificates}
        if domain.certificate is not None and domain.certificate not in known:
            raise ValueError(
                f'{where}.certificate: "{domain.certificate}" names no certificate; '
                f"{suggestion(domain.certificate, known)}"
            )
        if config.certificates:
            _covered(where, domain.name, domain.certificate, config.certificates)


def _covered(
    where: str, domain: str, wanted: str | None, certificates: Sequence[Certificate]
) -> None:
    found = list(serving(domain, certificates))
    if wanted is not None and wanted not in found:
        others = f", which {' and '.join(found)} does" if found else ""
        raise ValueError(
            f"{where}.certificate: {wanted} does not cover {domain}{others}; add {domain} to the "
            f"domains of {wanted}"
        )
    if not found:
        patterns = [pattern for certificate in certificates for pattern in certificate.domains]
        raise ValueError(
            f'{where}.name: no certificate covers "{domain}"; add it to the domains of one; '
            f"{suggestion(domain, patterns)}"
        )


def _keys(config: NetworkingConfig) -> None:
    own = {
        c.name: (i, c) for i, c in enumerate(config.certificates) if isinstance(c, OwnCertificate)
    }
    for name in config.private_keys:
        if name not in own:
            raise ValueError(
                f'private_keys.{name}: "{name}" names no self-managed certificate; '
                f"{suggestion(name, own)}"
            )
    for name, (index, certificate) in own.items():
        if name not in config.private_keys:
            raise ValueError(
                f"certificates[{index}].name: {name} is self-managed and has no private key; "
                f"{own_certificates.how_to_set(name)}"
            )
        from infra.networking import own_certificate_pem  # noqa: PLC0415 (see there)

        wrong = own_certificate_pem.problem(certificate, config.private_keys[name])
        if wrong:
            raise ValueError(f"certificates[{index}].certificate: {wrong}")


def _dns(config: NetworkingConfig) -> None:
    if config.dns is None:
        return
    if wrong := problem(config.dns.domain):
        raise ValueError(f"dns.domain: {wrong}")
    if config.dns.project is not None and config.dns.zone is None:
        raise ValueError("dns.project: only for an existing zone; name that with dns.zone")
    zone = config.dns.domain
    for index, domain in enumerate(config.domains):
        if domain.record and domain.name != zone and not domain.name.endswith(f".{zone}"):
            raise ValueError(
                f'domains[{index}].name: "{domain.name}" is not in the zone {zone} of '
                "gke-networking:dns, which holds its record; "
                f"use a name below {zone}, or set record: false and keep the record elsewhere"
            )
