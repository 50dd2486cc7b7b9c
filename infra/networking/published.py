"""What the layer publishes, from what it read and what it made."""

from collections.abc import Mapping

import pulumi
from pulumi_gcp import certificatemanager

from gkeplatform.contracts import DnsRecord, RoutedModel, ServedModel
from infra.networking.backends import admitted
from infra.networking.config import NetworkingConfig
from infra.networking.routing import url


def routed(
    config: NetworkingConfig,
    models: tuple[ServedModel, ...],
    groups: dict[str, tuple[str, ...]],
    *,
    address: str,
    domain: str | None,
    services: dict[str, str],
) -> list[RoutedModel]:
    """The exposed models, each with its URL, its backend services and the groups behind them."""
    found = []
    for model in models:
        if model.route is None:
            continue
        second = model.route.canary
        canary = second.name if second else None
        found.append(
            RoutedModel(
                name=model.name,
                url=url(model, address, domain=domain),
                backend_service=services[model.name],
                is_behind_login=bool(admitted(config, model.route)),
                groups=(*groups[model.name], *(groups[canary] if canary else ())),
                # What is mirrored to nobody sees the answers of: they count for nothing.
                canary_service=services[second.name] if second and not second.mirror else None,
            )
        )
    return found


def answering_domain(config: NetworkingConfig) -> str | None:
    """The domain at which a model answers that has no host of its own; None without HTTPS."""
    if not config.certificates:
        return None
    return next(one.name for one in config.domains if not one.name.startswith("*."))


def base_url(domain: str | None, address: pulumi.Output[str]) -> pulumi.Output[str]:
    """Where the load balancer answers."""
    if domain is not None:
        return pulumi.Output.from_input(f"https://{domain}")
    return pulumi.Output.concat("http://", address)


def needed_records(
    config: NetworkingConfig,
    proofs: Mapping[str, certificatemanager.DnsAuthorization],
    address: pulumi.Output[str],
) -> pulumi.Output[list[DnsRecord]]:
    """The records that must be in DNS, whoever keeps it."""
    wanted = pulumi.Output.all(
        address=address, proofs=[proof.dns_resource_records for proof in proofs.values()]
    )
    return wanted.apply(
        lambda known: [
            *(
                DnsRecord(name=f"{one.name}.", type="A", data=known["address"])
                for one in config.domains
            ),
            *(
                DnsRecord(name=record["name"], type=record["type"], data=record["data"])
                for found in known["proofs"]
                for record in found
            ),
        ]
    )
