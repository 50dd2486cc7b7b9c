"""The HTTPS side as a whole: certificates, HTTPS front end and DNS, as far as configured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
from pulumi_gcp import certificatemanager

from gkeplatform.contracts import DomainProof
from gkeplatform.labels import Labels
from gkeplatform.naming import Naming
from infra.networking.certificate_plan import MAP, is_mapped
from infra.networking.certificates import CertificateMap, ClassicCertificates
from infra.networking.config import NetworkingConfig
from infra.networking.dns_records import DnsRecords, within
from infra.networking.handover import Handover
from infra.networking.https import HttpsFrontend
from infra.networking.issuance import States

ROLE = "models"


@dataclass(frozen=True, slots=True)
class HttpsStack:
    """Outputs of the HTTPS side."""

    proofs: Mapping[str, certificatemanager.DnsAuthorization] = field(default_factory=dict)
    """DNS authorizations by domain."""


def https_stack(  # noqa: PLR0913 (what the rooms beside it give)
    config: NetworkingConfig,
    *,
    url_map: pulumi.Output[str],
    address: pulumi.Output[str],
    states: States,
    handover: Handover,
    has_classic: bool,
    naming: Naming,
    labels: Labels,
    opts: pulumi.ResourceOptions,
) -> HttpsStack:
    """Declares HTTPS for the URL map; nothing without certificates.

    `has_classic`: classic certificates are deployed.
    """
    if not config.serves_https:
        return HttpsStack()
    certificates: Sequence[pulumi.Output[str]] | pulumi.Output[str]
    proofs: Mapping[str, certificatemanager.DnsAuthorization] = {}
    entries: Sequence[pulumi.Resource] = ()
    if is_mapped(config.certificates):
        mapped = CertificateMap(
            MAP,
            config,
            states=states,
            is_takeover=has_classic,
            naming=naming,
            labels=labels,
            opts=opts,
        )
        certificates, proofs, entries = mapped.link, mapped.proofs, mapped.entries
    else:
        classic = ClassicCertificates(
            ROLE, config.certificates, handover=handover, keys=config.private_keys, opts=opts
        )
        certificates = classic.links
    HttpsFrontend(
        ROLE,
        config.https.ssl_policy,
        certificates=certificates,
        after=entries,
        url_map=url_map,
        address=address,
        naming=naming,
        labels=labels,
        opts=opts,
    )
    return HttpsStack(proofs)


def dns_records(
    config: NetworkingConfig,
    https: HttpsStack,
    *,
    address: pulumi.Output[str],
    others: Mapping[str, str],
    other_proofs: Sequence[DomainProof],
    naming: Naming,
    labels: Labels,
    opts: pulumi.ResourceOptions,
) -> pulumi.Output[Sequence[str]]:
    """Declares the hosts' records, where a zone is configured. Returns its name servers.

    `others` are the addresses of other front ends by host, `other_proofs` the records of their
    certificates; those outside the zone are left out.
    """
    if config.dns is None:
        return pulumi.Output.from_input([])
    records = DnsRecords(
        "domains",
        config.dns,
        addresses={
            **{domain.name: address for domain in config.domains if domain.record},
            **{host: others[host] for host in within(config.dns, others)},
        },
        proofs=https.proofs,
        other_proofs=other_proofs,
        naming=naming,
        labels=labels,
        opts=opts,
    )
    return records.name_servers
