"""Which certificates there are, under which physical names, and which of them serves a domain."""

import hashlib
import re
import zlib
from collections.abc import Iterable, Sequence

from gkeplatform.hosts import covers
from infra.networking.tls import Certificate, DomainArgs, ManagerCertificate, OwnCertificate

GENERATION = re.compile(r"-[0-9a-f]{8}$")


def is_mapped(certificates: Iterable[Certificate]) -> bool:
    """Whether all of them go into a map of Certificate Manager, because one must."""
    return any(isinstance(one, ManagerCertificate) for one in certificates)


def role(certificate: Certificate) -> str:
    """The name's last part, which changes with what the certificate is.

    So the new one can be there beside the old one, which goes when nothing uses it any more.
    """
    content = [type(certificate).__name__, *sorted(certificate.domains)]
    if isinstance(certificate, ManagerCertificate):
        content.append(certificate.authorization)
    if isinstance(certificate, OwnCertificate):
        content.append(certificate.certificate.strip())
    digest = hashlib.sha256("\n".join(content).encode()).hexdigest()[:8]
    return f"{certificate.name}-{digest}"


def generations(name: str, known: Iterable[str]) -> list[str]:
    """Those of the `known` physical names that are the same certificate at another time."""
    stem = GENERATION.sub("", name)
    return [one for one in known if one != name and GENERATION.sub("", one) == stem]


def label(domain: str, zone: str | None) -> str:
    """A domain as the zone knows it, `@` for the zone itself: no environment's name is in it."""
    if domain == zone:
        return "@"
    return domain.removesuffix(f".{zone}") if zone else domain


def slug(domain: str, zone: str | None) -> str:
    """A short name for a domain that Google Cloud takes; domains that differ never share one."""
    plain = label(domain, zone).replace("@", "zone").replace("*", "any").replace(".", "-")
    return f"{plain[:20].rstrip('-')}-{zlib.crc32(domain.encode()):08x}"


def in_order(certificates: Sequence[Certificate]) -> tuple[Certificate, ...]:
    """Those that take over before those that they replace, else as in the stack file."""
    replaced = {one.replaces for one in certificates}
    return tuple(sorted(certificates, key=lambda one: one.name in replaced))


def chosen(domain: DomainArgs, certificates: Sequence[Certificate]) -> str:
    """The certificate that serves a domain: the one it names, else by name before by wildcard."""
    if domain.certificate is not None:
        return domain.certificate
    found = [
        certificate
        for certificate in in_order(certificates)
        if any(covers(pattern, domain.name) for pattern in certificate.domains)
    ]
    return min(found, key=lambda one: domain.name not in one.domains).name


def proven(certificates: Iterable[Certificate]) -> tuple[str, ...]:
    """The domains that are proven to Google by DNS, each once; a wildcard by what it is below."""
    return tuple(
        dict.fromkeys(
            domain.removeprefix("*.")
            for certificate in certificates
            if isinstance(certificate, ManagerCertificate) and certificate.authorization == "dns"
            for domain in certificate.domains
        )
    )
