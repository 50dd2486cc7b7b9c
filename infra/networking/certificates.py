"""Certificates: classic ones of the target proxy, or a certificate map."""

from collections.abc import Sequence

import pulumi
from pulumi_gcp import certificatemanager, compute

from gkeplatform.contracts import ServedCertificate
from gkeplatform.labels import Labels
from gkeplatform.naming import Naming
from infra.networking import certificate_plan as plan
from infra.networking.config import NetworkingConfig
from infra.networking.handover import Handover
from infra.networking.issuance import States, Wait, awaited
from infra.networking.tls import Certificate, ManagerCertificate, OwnCertificate

MAP_HOST = "//certificatemanager.googleapis.com/"
"""Prefix of a map's id in a target proxy."""


class ClassicCertificates(pulumi.ComponentResource):
    """Classic certificates, in the order of the target proxy."""

    links: list[pulumi.Output[str]]

    def __init__(
        self,
        name: str,
        certificates: Sequence[Certificate],
        *,
        handover: Handover,
        keys: dict[str, str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("gkeplatform:networking:ClassicCertificates", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        declared = {one.name: one for one in handover.declared}
        # Clients that name no host get the first: what takes over is not issued yet.
        self.links = [_managed(former, child) for former in handover.present]
        for certificate in plan.in_order(certificates):
            served = declared[certificate.name]
            if isinstance(certificate, OwnCertificate):
                own = compute.SSLCertificate(
                    served.resource,
                    name=served.physical,
                    certificate=certificate.certificate,
                    private_key=pulumi.Output.secret(keys[certificate.name]),
                    opts=child,
                )
                self.links.append(own.self_link)
            else:
                self.links.append(_managed(served, child))
        self.register_outputs({})


def _managed(served: ServedCertificate, opts: pulumi.ResourceOptions) -> pulumi.Output[str]:
    made = compute.ManagedSslCertificate(
        served.resource,
        name=served.physical,
        managed={"domains": list(served.domains)},
        opts=opts,
    )
    return made.self_link


class CertificateMap(pulumi.ComponentResource):
    """A certificate map: one entry per domain, and a primary one for clients without SNI."""

    link: pulumi.Output[str]
    entries: list[certificatemanager.CertificateMapEntry]
    """Without them no handshake succeeds."""
    proofs: dict[str, certificatemanager.DnsAuthorization]
    """DNS authorizations by domain: each is a record that must be in DNS."""

    def __init__(
        self,
        name: str,
        config: NetworkingConfig,
        *,
        states: States,
        is_takeover: bool,
        naming: Naming,
        labels: Labels,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`is_takeover`: classic certificates serve until the map can."""
        super().__init__("gkeplatform:networking:CertificateMap", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        zone = config.dns.domain if config.dns else None
        certificates = config.certificates
        self.proofs = {
            domain: certificatemanager.DnsAuthorization(
                f"proof-{plan.label(domain, zone)}",
                name=naming.of(plan.slug(domain, zone)),
                domain=domain,
                labels=labels.google(),
                opts=child,
            )
            for domain in plan.dns_validated(certificates)
        }
        serving = {domain.name: plan.serving(domain, certificates) for domain in config.domains}
        ids = {
            one.name: self._certificate(
                one,
                config.private_keys,
                states,
                Wait(
                    hosts=tuple(host for host, by in serving.items() if by[0] == one.name),
                    of=naming.prefix,
                    seconds=one.wait_seconds if isinstance(one, ManagerCertificate) else 0,
                    is_takeover=is_takeover,
                ),
                naming,
                labels,
            )
            for one in certificates
        }
        made = certificatemanager.CertificateMap(
            name, name=naming.of(name), labels=labels.google(), opts=child
        )
        self.entries = [
            certificatemanager.CertificateMapEntry(
                f"host-{plan.label(domain.name, zone)}",
                name=naming.of(plan.slug(domain.name, zone)),
                map=made.name,
                hostname=domain.name,
                certificates=[ids[one] for one in serving[domain.name]],
                labels=labels.google(),
                opts=child,
            )
            for domain in config.domains
        ]
        primary = certificatemanager.CertificateMapEntry(
            "primary",
            name=naming.of("primary"),
            map=made.name,
            matcher="PRIMARY",
            certificates=[ids[one] for one in serving[config.domains[0].name]],
            labels=labels.google(),
            opts=child,
        )
        self.entries.append(primary)
        self.link = pulumi.Output.concat(MAP_HOST, made.id)
        self.register_outputs({})

    def _certificate(
        self,
        args: Certificate,
        keys: dict[str, str],
        states: States,
        wait: Wait,
        naming: Naming,
        labels: Labels,
    ) -> pulumi.Output[str]:
        physical = naming.of(plan.role(args))
        opts = pulumi.ResourceOptions(parent=self)
        if isinstance(args, OwnCertificate):
            own = certificatemanager.Certificate(
                args.name,
                name=physical,
                self_managed={
                    "pem_certificate": args.certificate,
                    "pem_private_key": pulumi.Output.secret(keys[args.name]),
                },
                labels=labels.google(),
                opts=opts,
            )
            return own.id
        by_dns = isinstance(args, ManagerCertificate) and args.authorization == "dns"
        proofs = [self.proofs[one].id for one in plan.dns_validated([args])]
        made = certificatemanager.Certificate(
            args.name,
            name=physical,
            managed={
                "domains": sorted(args.domains),
                **({"dns_authorizations": proofs} if by_dns else {}),
            },
            labels=labels.google(),
            opts=opts,
        )
        if isinstance(args, ManagerCertificate) and by_dns:
            return awaited(made, states, wait)
        return made.id
