"""DNS records of the hosts: addresses, and proofs for DNS authorization."""

from collections.abc import Mapping, Sequence

import pulumi
from pulumi_gcp import certificatemanager, dns

from gkeplatform.contracts import DomainProof
from gkeplatform.labels import Labels
from gkeplatform.naming import Naming
from infra.networking.certificate_plan import label
from infra.networking.tls import DnsArgs

ROLE = "domains"


class DnsRecords(pulumi.ComponentResource):
    """A new or existing zone, with an A record per host and a CNAME record per authorization."""

    name_servers: pulumi.Output[Sequence[str]]
    """Name servers that the parent domain must delegate to; empty for an existing zone."""

    def __init__(
        self,
        name: str,
        args: DnsArgs,
        *,
        addresses: Mapping[str, pulumi.Input[str]],
        proofs: Mapping[str, certificatemanager.DnsAuthorization],
        other_proofs: Sequence[DomainProof],
        naming: Naming,
        labels: Labels,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("gkeplatform:networking:DnsRecords", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        zone: pulumi.Input[str]
        if args.zone is None:
            made = dns.ManagedZone(
                name,
                name=naming.of(ROLE),
                dns_name=f"{args.domain}.",
                description=f"{args.domain}: the models of {naming.environment.name}",
                dnssec_config={"state": "on"},
                labels=labels.google(),
                opts=child,
            )
            zone, self.name_servers = made.name, made.name_servers
        else:
            zone, self.name_servers = args.zone, pulumi.Output.from_input([])
        for host, address in addresses.items():
            dns.RecordSet(
                f"host-{label(host, args.domain)}",
                managed_zone=zone,
                project=args.project,
                name=f"{host}.",
                type="A",
                ttl=args.ttl_seconds,
                rrdatas=[address],
                opts=child,
            )
        records = {
            f"proof-{label(one, args.domain)}": proofs[one].dns_resource_records[0]
            for one in within(args, proofs)
        } | {
            f"proof-inference-{label(one.domain, args.domain)}": one
            for one in other_proofs
            if within(args, [one.domain])
        }
        for record_name, record in records.items():
            dns.RecordSet(
                record_name,
                managed_zone=zone,
                project=args.project,
                name=record.name,
                type=record.type,
                ttl=args.ttl_seconds,
                rrdatas=[record.data],
                opts=child,
            )
        self.register_outputs({"name_servers": self.name_servers})


def within(args: DnsArgs, domains: Sequence[str] | Mapping[str, object]) -> list[str]:
    """The domains that lie in the zone."""
    return [name for name in domains if name == args.domain or name.endswith(f".{args.domain}")]
