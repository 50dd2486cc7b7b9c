"""Classic Google-managed certificates whose domains change: the former serve until Google is done.

Google issues such a certificate only once the target proxy has it, within an hour or so, and an
update changes the proxy once. So it takes two: the first puts the new certificate beside the former
one, and the next, once the new one is issued, removes that. A preview shows the end of both.
`./platformctl up` makes both, and waits in between.

In place of a certificate map there is no such way, since a proxy ignores its certificates while it
has a map: Google documents no issuance of what is ignored. So that is refused.

https://docs.cloud.google.com/load-balancing/docs/ssl-certificates/google-managed-certs
https://docs.cloud.google.com/certificate-manager/docs/maps ("Attach a certificate map to a proxy")
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_gcp import compute

from gkeplatform.contracts import NetworkingContract, ServedCertificate
from gkeplatform.errors import PlatformError
from gkeplatform.hosts import covers
from gkeplatform.lookups import existing
from gkeplatform.naming import Naming
from infra.networking import certificate_plan as plan
from infra.networking.certificate_coverage import MOST_CERTIFICATES
from infra.networking.config import NetworkingConfig
from infra.networking.tls import Certificate, GoogleManagedCertificate, OwnCertificate

IsIssued = Callable[[str], bool]
"""Whether Google has issued the managed certificate of this physical name."""


@dataclass(frozen=True, slots=True)
class Handover:
    """The certificates of the target proxy. Empty where a certificate map has them."""

    declared: tuple[ServedCertificate, ...] = ()
    """Those of the stack file, in its order."""
    kept: tuple[ServedCertificate, ...] = ()
    """Those that serve until Google has issued what takes over from them."""
    issuing: tuple[str, ...] = ()
    """Physical names of those that take over, and are not issued yet."""

    @property
    def present(self) -> tuple[ServedCertificate, ...]:
        """Those kept by this run: none in a preview, which shows what is left in the end."""
        return () if pulumi.runtime.is_dry_run() else self.kept

    @property
    def served(self) -> tuple[ServedCertificate, ...]:
        """What the proxy has after this run."""
        return (*self.declared, *self.present)

    def ids(self, project: str) -> list[str]:
        """Google's ids of what is not issued after this run."""
        names = self.issuing if self.present else ()
        return [f"projects/{project}/global/sslCertificates/{name}" for name in names]


def handover(
    certificates: Sequence[Certificate],
    deployed: NetworkingContract | None,
    naming: Naming,
    is_issued: IsIssued,
) -> Handover:
    """What the proxy must have. `deployed` is what this layer published last.

    `PlatformError` where the former certificates cannot be kept: those of a certificate map,
    self-managed ones, whose keys the stack file has no more, or more than a proxy takes.
    """
    if not certificates or plan.is_mapped(certificates):
        return Handover()
    _refuse_from_map(certificates, deployed.mapped if deployed else ())
    served = {one.physical: one for one in (deployed.certificates if deployed else ())}
    wanted = {naming.of(plan.role(one)): one for one in certificates}
    former = [one for name, one in served.items() if name not in wanted]
    pending = {
        name: one
        for name, one in wanted.items()
        if former
        and isinstance(one, GoogleManagedCertificate)
        and not (name in served and is_issued(name))
    }
    ready = [
        domain for name, one in wanted.items() if name not in pending for domain in one.domains
    ]
    kept = [
        one
        for one in former
        if any(_overlap(one.domains, new, ready) for new in pending.values())
        and (not one.is_managed or is_issued(one.physical))
    ]
    _refuse_own(certificates, kept, pending, ready)
    if len(wanted) + len(kept) > MOST_CERTIFICATES:
        raise PlatformError(
            f"gke-networking:certificates: {len(wanted)}, and {len(kept)} that serve until Google "
            f"has issued those which take over; a load balancer takes {MOST_CERTIFICATES}; change "
            "fewer at a time"
        )
    taken = {one.resource for one in kept}
    return Handover(
        tuple(_served(name, one, served.get(name), taken) for name, one in wanted.items()),
        tuple(kept),
        tuple(
            name
            for name, new in pending.items()
            if any(_overlap(one.domains, new, ready) for one in kept)
        ),
    )


def mapped(config: NetworkingConfig) -> list[str]:
    """The domains that a certificate map serves, to publish."""
    return [one.name for one in config.domains] if plan.is_mapped(config.certificates) else []


def lookup(provider: pulumi.ProviderResource) -> IsIssued:
    """Asks Google: a managed certificate has a time of expiry once it is issued."""

    def is_issued(name: str) -> bool:
        found = existing(compute.get_certificate, "certificate", provider, name=name)
        return bool(found and found.expire_time)

    return is_issued


def told(found: Handover) -> list[str]:
    """What the operator must know."""
    news = ", ".join(found.issuing)
    return [
        f"certificate {one.physical} serves until Google has issued {news}, usually within an "
        "hour; `./platformctl up` waits for that and removes it; after `pulumi up`, run that "
        "again once the new one is ACTIVE"
        for one in found.kept
    ]


def _overlap(former: Sequence[str], new: Certificate, ready: Sequence[str]) -> list[str]:
    """The domains that `new` takes over, and that nothing else serves."""
    return [
        domain
        for domain in new.domains
        if any(covers(pattern, domain) for pattern in former)
        and not any(covers(pattern, domain) for pattern in ready)
    ]


def _refuse_from_map(certificates: Sequence[Certificate], of_map: Sequence[str]) -> None:
    ready = [
        domain for one in certificates if isinstance(one, OwnCertificate) for domain in one.domains
    ]
    for index, new in enumerate(certificates):
        if isinstance(new, GoogleManagedCertificate) and (lost := _overlap(of_map, new, ready)):
            raise PlatformError(
                f"gke-networking:certificates[{index}].kind: google-managed {new.name} would take "
                "the place of a certificate map at once, and Google issues it only once the load "
                f"balancer serves it, which it does not beside a map: HTTPS of {lost[0]} would "
                "fail for up to an hour; keep kind: certificate-manager\n"
                "hint: two steps lose nothing: list a self-managed certificate of the same domains "
                f"too, which serves at once, and name it in `replaces` of {new.name}; remove it "
                f"when {new.name} is ACTIVE. Where HTTPS may fail meanwhile, deploy once without "
                "certificates"
            )


def _refuse_own(
    certificates: Sequence[Certificate],
    kept: Sequence[ServedCertificate],
    pending: dict[str, GoogleManagedCertificate],
    ready: Sequence[str],
) -> None:
    for own in (one for one in kept if not one.is_managed):
        new = next(one for one in pending.values() if _overlap(own.domains, one, ready))
        domain = _overlap(own.domains, new, ready)[0]
        raise PlatformError(
            f"gke-networking:certificates[{list(certificates).index(new)}].kind: google-managed "
            f"{new.name} would take the place of self-managed {own.name} at once, and Google "
            f"issues it only once the load balancer has it: HTTPS of {domain} would fail for up to "
            f"an hour; keep {own.name}, set `replaces: {own.name}` in {new.name}, and remove "
            f"{own.name} when that is ACTIVE"
        )


def _served(
    physical: str,
    certificate: Certificate,
    before: ServedCertificate | None,
    taken: set[str],
) -> ServedCertificate:
    """A resource keeps its name; a new one has the certificate's, unless a kept one has that."""
    is_managed = isinstance(certificate, GoogleManagedCertificate)
    resource = certificate.name
    if before is not None:
        resource = before.resource
    elif is_managed and resource in taken:
        resource = plan.role(certificate)
    return ServedCertificate(
        name=certificate.name,
        resource=resource,
        physical=physical,
        domains=tuple(sorted(certificate.domains)),
        is_managed=is_managed,
    )
