"""What a stack file's certificates, HTTPS and DNS keys lead to: all of it, or none of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
from pulumi_gcp import certificatemanager

from gkeplatform.labels import Labels
from gkeplatform.naming import Naming
from infra.networking.certificate_plan import is_mapped
from infra.networking.certificates import CertificateMap, ClassicCertificates
from infra.networking.config import NetworkingConfig
from infra.networking.dns_records import DnsRecords
from infra.networking.https import HttpsFrontend
from infra.networking.issuance import States

ROLE = "models"


@dataclass(frozen=True, slots=True)
class Secured:
    """What others need of the HTTPS side."""

    proofs: Mapping[str, certificatemanager.DnsAuthorization] = field(default_factory=dict)
    """By domain, the record that proves it to Google."""


def secured(
    config: NetworkingConfig,
    *,
    url_map: pulumi.Output[str],
    address: pulumi.Output[str],
    states: States,
    naming: Naming,
    labels: Labels,
    opts: pulumi.ResourceOptions,
) -> Secured:
    """HTTPS for the URL map, where the stack file has certificates."""
    if not config.certificates:
        return Secured()
    certificates: Sequence[pulumi.Output[str]] | pulumi.Output[str]
    proofs: Mapping[str, certificatemanager.DnsAuthorization] = {}
    if is_mapped(config.certificates):
        mapped = CertificateMap(
            ROLE, config, states=states, naming=naming, labels=labels, opts=opts
        )
        certificates, proofs = mapped.link, mapped.proofs
    else:
        classic = ClassicCertificates(
            ROLE, config.certificates, keys=config.private_keys, naming=naming, opts=opts
        )
        certificates = classic.links
    HttpsFrontend(
        ROLE,
        config.https.ssl_policy,
        certificates=certificates,
        url_map=url_map,
        address=address,
        naming=naming,
        labels=labels,
        opts=opts,
    )
    return Secured(proofs)


def resolved(
    config: NetworkingConfig,
    secured: Secured,
    *,
    address: pulumi.Output[str],
    naming: Naming,
    labels: Labels,
    opts: pulumi.ResourceOptions,
) -> pulumi.Output[Sequence[str]]:
    """The domains' records, where the stack file has a zone; the zone's name servers."""
    if config.dns is None:
        return pulumi.Output.from_input([])
    records = DnsRecords(
        "domains",
        config.dns,
        domains=config.domains,
        proofs=secured.proofs,
        address=address,
        naming=naming,
        labels=labels,
        opts=opts,
    )
    return records.name_servers
