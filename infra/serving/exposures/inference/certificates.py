"""Google-managed certificates of the hosts of the Inference Gateway, one for each host.

A regional load balancer takes regional certificates, and Google issues those once a DNS record
proves the domain. The networking layer declares the records. Each host has its own certificate, so
that another host leaves the certificates of the others alone. Sources:
https://docs.cloud.google.com/certificate-manager/docs/deploy-google-managed-regional,
https://docs.cloud.google.com/load-balancing/docs/quotas (certificates of a target proxy).
"""

from collections.abc import Iterable, Sequence

import pulumi
from pulumi_gcp import certificatemanager

from gkeplatform import stack
from gkeplatform.contracts import DomainProof
from gkeplatform.labels import Labels
from gkeplatform.naming import Naming, digest
from infra.serving.exposures.base import Server
from infra.serving.exposures.inference.settings import MOST_CERTIFICATES, InferenceGatewayArgs


def hosts(servers: Iterable[Server]) -> tuple[str, ...]:
    """The hosts of the Inference Gateway, each once, in order."""
    return tuple(
        sorted(
            {
                host
                for server in servers
                if server.exposure.needs_inference_gateway
                for host in server.exposure.hosts
            }
        )
    )


def check(args: InferenceGatewayArgs, servers: Sequence[Server]) -> None:
    """`ValueError` for more certificates than a regional load balancer takes."""
    if not args.managed_certificates:
        return
    count = len(hosts(servers)) + len(args.certificates)
    if count > MOST_CERTIFICATES:
        raise ValueError(
            f"inference_gateway.managed_certificates: {len(hosts(servers))} hosts need a "
            f"certificate each, with certificates {count} in all, and a regional load balancer "
            f"takes {MOST_CERTIFICATES}; make one of a wildcard, and name it in certificates"
        )


def role(host: str) -> str:
    """The last part of the physical name: different hosts have different names."""
    return f"inference-{host.replace('.', '-')[:16].rstrip('-')}-{digest(host)}"


class HostCertificates(pulumi.ComponentResource):
    """A certificate and a DNS authorization for each host. They are not waited for."""

    names: tuple[str, ...]
    """Physical names of the certificates."""
    proofs: pulumi.Output[list[DomainProof]]
    """The records that must be in DNS before Google issues the certificates."""

    def __init__(
        self,
        name: str,
        domains: Sequence[str],
        *,
        naming: Naming,
        labels: Labels,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("gkeplatform:serving:HostCertificates", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        region = naming.environment.region
        self.made: list[pulumi.Resource] = []
        records = {}
        for domain in domains:
            physical = naming.of(role(domain))
            proof = certificatemanager.DnsAuthorization(
                domain,
                name=physical,
                location=region,
                domain=domain,
                # Beside the authorization of a global certificate for the same domain.
                type="PER_PROJECT_RECORD",
                labels=labels.google(),
                opts=child,
            )
            records[domain] = proof.dns_resource_records
            self.made.append(
                certificatemanager.Certificate(
                    domain,
                    name=physical,
                    location=region,
                    managed={"domains": [domain], "dns_authorizations": [proof.id]},
                    labels=labels.google(),
                    opts=child,
                )
            )
        self.names = tuple(naming.of(role(domain)) for domain in domains)
        self.proofs = stack.applied(pulumi.Output.all(**records), proofs)
        self.register_outputs({})


def proofs(records: dict[str, list[dict[str, str]]]) -> list[DomainProof]:
    """The records by domain, as the contract has them. A preview knows none of a new domain."""
    return [
        DomainProof(domain=domain, name=one["name"], type=one["type"], data=one["data"])
        for domain, found in records.items()
        if isinstance(found, list)
        for one in found
    ]
