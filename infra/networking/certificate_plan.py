"""Physical names of the certificates, and the certificate that serves each domain."""

import hashlib
import re
from collections.abc import Iterable, Sequence

from gkeplatform.hosts import covers
from gkeplatform.naming import digest
from infra.networking.tls import Certificate, DomainArgs, ManagerCertificate, OwnCertificate

MAP = "models"
"""The last part of the map's physical name."""
GENERATION = re.compile(r"-[0-9a-f]{8}$")


def is_mapped(certificates: Iterable[Certificate]) -> bool:
    """Whether there is a certificate map: all certificates go into it if one must."""
    return any(isinstance(one, ManagerCertificate) for one in certificates)


def role(certificate: Certificate) -> str:
    """The last part of the physical name, which changes with the certificate's content.

    So a replacement can exist beside the old one until nothing uses that any more.
    """
    content = [type(certificate).__name__, *sorted(certificate.domains)]
    if isinstance(certificate, ManagerCertificate):
        content.append(certificate.authorization)
    if isinstance(certificate, OwnCertificate):
        content.append(certificate.certificate.strip())
    generation = hashlib.sha256("\n".join(content).encode()).hexdigest()[:8]
    return f"{certificate.name}-{generation}"


def generations(name: str, known: Iterable[str]) -> list[str]:
    """The `known` physical names of the same certificate with other content."""
    stem = GENERATION.sub("", name)
    return [one for one in known if one != name and GENERATION.sub("", one) == stem]


def label(domain: str, zone: str | None) -> str:
    """A domain relative to its zone, `@` for the zone itself: without the environment's name."""
    if domain == zone:
        return "@"
    return domain.removesuffix(f".{zone}") if zone else domain


def slug(domain: str, zone: str | None) -> str:
    """A short, valid name for a domain; different domains have different names."""
    plain = label(domain, zone).replace("@", "zone").replace("*", "any").replace(".", "-")
    return f"{plain[:20].rstrip('-')}-{digest(domain)}"


def in_order(certificates: Sequence[Certificate]) -> tuple[Certificate, ...]:
    """In the order of the stack file, but replacements before the certificates they replace."""
    replaced = {one.replaces for one in certificates}
    return tuple(sorted(certificates, key=lambda one: one.name in replaced))


def chosen(domain: DomainArgs, certificates: Sequence[Certificate]) -> str:
    """The certificate of a domain: the one it names, else an exact match, else a wildcard."""
    if domain.certificate is not None:
        return domain.certificate
    found = [
        certificate
        for certificate in in_order(certificates)
        if any(covers(pattern, domain.name) for pattern in certificate.domains)
    ]
    return min(found, key=lambda one: domain.name not in one.domains).name


def serving(domain: DomainArgs, certificates: Sequence[Certificate]) -> tuple[str, ...]:
    """The certificates of a domain's entry in a map: its own, and the one that this replaces."""
    named = {one.name: one for one in certificates}
    first = named[chosen(domain, certificates)]
    former = named.get(first.replaces or "")
    if former and any(covers(pattern, domain.name) for pattern in former.domains):
        return first.name, former.name
    return (first.name,)


def dns_validated(certificates: Iterable[Certificate]) -> tuple[str, ...]:
    """The domains to validate by DNS, each once; a wildcard counts as its parent domain."""
    return tuple(
        dict.fromkeys(
            domain.removeprefix("*.")
            for certificate in certificates
            if isinstance(certificate, ManagerCertificate) and certificate.authorization == "dns"
            for domain in certificate.domains
        )
    )
