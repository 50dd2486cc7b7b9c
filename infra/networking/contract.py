"""The values of the layer's contract, from what it read and what it declared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pulumi
from pulumi_gcp import certificatemanager

from gkeplatform.contracts import (
    DnsRecord,
    DomainProof,
    Route,
    RoutedModel,
    RoutedVersion,
    ServedModel,
)
from gkeplatform.routes import public_path
from infra.networking.config import NetworkingConfig
from infra.networking.iap import members_of
from infra.networking.url_map.versions import versions


def routed_models(
    config: NetworkingConfig,
    models: tuple[ServedModel, ...],
    groups: dict[str, tuple[str, ...]],
    *,
    address: str,
    domain: str | None,
    services: dict[str, str],
    cluster: str = "",
) -> list[RoutedModel]:
    """The exposed models with their URLs, backend services and groups.

    `cluster` is the generation of the cluster that serves them.
    """
    found = []
    for model in models:
        if model.route is None:
            continue
        second = model.route.canary
        canary = second.name if second else None
        found.append(
            RoutedModel(
                name=model.name,
                namespace=model.namespace,
                url=url(model, address, domain=domain),
                check_url=check_url(model, address, domain=domain),
                backend_service=services[model.name],
                uses_iap=bool(members_of(config, model.route)),
                groups=(*groups[model.name], *(groups[canary] if canary else ())),
                # The load balancer drops the answers to mirrored requests.
                canary_service=services[second.name] if second and not second.mirror else None,
                versions=tuple(
                    RoutedVersion(
                        name=version.name,
                        namespace=version.namespace,
                        backend=version.route.backend,
                        cluster=cluster,
                        service=services[version.name],
                    )
                    for version in versions([model])
                    if version.route
                ),
            )
        )
    return found


def url(model: ServedModel, address: str, *, domain: str | None = None) -> str:
    """The model's URL at the load balancer: its status if that is routed, else its first path.

    `domain` is one that HTTPS is served on.
    """
    route = model.route
    if route is None:
        raise ValueError(f"{model.name} is not routed")
    path = public_path(model.path, route.paths, route.rewrites) or route.paths[0]
    return _at(route, address, path, domain=domain)


def check_url(model: ServedModel, address: str, *, domain: str | None = None) -> str | None:
    """The model's URL for uptime checks, which send a GET; None if the model routes none.

    A path that takes POST only answers 405, which says nothing of the model.
    """
    route = model.route
    if route is None:
        raise ValueError(f"{model.name} is not routed")
    found = (public_path(path, route.paths, route.rewrites) for path in route.get_paths)
    path = next((one for one in found if one), None)
    return _at(route, address, path, domain=domain) if path else None


def _at(route: Route, address: str, path: str, *, domain: str | None) -> str:
    scheme = "https" if domain else "http"
    return f"{scheme}://{(*route.hosts, domain or address)[0]}{path}"


def default_domain(config: NetworkingConfig) -> str | None:
    """The domain of models without hosts; None without HTTPS."""
    if not config.serves_https:
        return None
    return next(one.name for one in config.domains if not one.name.startswith("*."))


def base_url(domain: str | None, address: pulumi.Output[str]) -> pulumi.Output[str]:
    """The URL of the load balancer."""
    if domain is not None:
        return pulumi.Output.from_input(f"https://{domain}")
    return pulumi.Output.concat("http://", address)


def other_front_ends(models: Iterable[ServedModel]) -> dict[str, str]:
    """The addresses of front ends that are not the load balancer, by host."""
    return {
        host: model.address for model in models if model.address for host in sorted(model.hosts)
    }


def required_records(
    config: NetworkingConfig,
    proofs: Mapping[str, certificatemanager.DnsAuthorization],
    address: pulumi.Output[str],
    others: Mapping[str, str],
    other_proofs: Sequence[DomainProof],
) -> pulumi.Output[list[DnsRecord]]:
    """The records that must be in DNS, whether or not the layer manages them.

    `others` are the addresses of other front ends by host, `other_proofs` the records of their
    certificates.
    """
    parts = pulumi.Output.all(
        address=address, proofs=[proof.dns_resource_records for proof in proofs.values()]
    )
    return parts.apply(
        lambda known: [
            *(
                DnsRecord(name=f"{one.name}.", type="A", data=known["address"])
                for one in config.domains
            ),
            *(DnsRecord(name=f"{host}.", type="A", data=one) for host, one in others.items()),
            *(
                DnsRecord(name=record["name"], type=record["type"], data=record["data"])
                for found in known["proofs"]
                for record in found
            ),
            *(DnsRecord(name=one.name, type=one.type, data=one.data) for one in other_proofs),
        ]
    )
