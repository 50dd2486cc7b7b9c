"""The objects that lead callers to a model's Service, and the address where it is reached."""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.networking import v1 as networking

from infra.serving.exposures import gateway
from infra.serving.exposures.base import ExposureSettings, Server
from infra.serving.exposures.controllers import Controllers
from infra.serving.exposures.gateway import Gateway, GatewayBackend, GatewayCanary
from infra.serving.exposures.gateway_manifests import API, POLICIES
from infra.serving.exposures.inference.serving_pool import ServingPool
from infra.serving.exposures.inference_gateway import InferencePoolSettings
from infra.serving.exposures.ingress import Ingress
from infra.serving.exposures.load_balancer import LoadBalancer
from infra.serving.manifest import Manifest, sdk


def route(
    name: str,
    server: Server,
    exposure: ExposureSettings,
    controllers: Controllers,
    *,
    service: core.Service,
    entrance: Mapping[str, str] | None,
    metadata: Manifest,
    parent: pulumi.Resource,
) -> pulumi.Output[str] | None:
    """Declares the route of `server`; the address where it is reached, if this layer knows it.

    `entrance` has the labels of the gateway for callers, where the Service leads to one.
    The address of an Ingress is empty until its controller assigns one.
    """
    after = pulumi.ResourceOptions(parent=parent, depends_on=[service])
    settings = controllers.settings
    match exposure:
        case LoadBalancer():
            assigned: pulumi.Output[str] = service.status.load_balancer.ingress.apply(address)
            return assigned
        case Ingress() if settings.ingress:
            annotations = exposure.annotations(settings.ingress)
            made = networking.Ingress(
                name,
                metadata=sdk({**metadata, "annotations": annotations}),
                spec=sdk(exposure.spec(server, settings.ingress)),
                opts=_also_after(after, controllers.nginx),
            )
            given: pulumi.Output[str] = made.status.load_balancer.ingress.apply(address)
            return given
        case Gateway() if controllers.gateway:
            _gateway_route(name, server, exposure, controllers, metadata=metadata, after=after)
            _gateway_policies(name, server, exposure, controllers, metadata=metadata, after=after)
            return controllers.gateway.address
        case GatewayCanary():
            _gateway_policies(name, server, exposure, controllers, metadata=metadata, after=after)
            return None
        case InferencePoolSettings() if controllers.inference:
            ServingPool(
                name,
                server,
                exposure,
                gateway=controllers.inference,
                entrance=entrance,
                before_route=controllers.before_routes,
                metadata=metadata,
                opts=after,
            )
            return controllers.inference.address
        case _:
            return None


def _gateway_route(
    name: str,
    server: Server,
    exposure: Gateway,
    controllers: Controllers,
    *,
    metadata: Manifest,
    after: pulumi.ResourceOptions,
) -> None:
    """The HTTPRoute, which leads to the model and to its canary."""
    settings = controllers.settings
    CustomResource(
        name,
        api_version=API,
        kind="HTTPRoute",
        metadata=sdk(metadata),
        spec=exposure.spec(server, settings.gateway, namespace=settings.gateway_namespace),
        opts=_also_after(after, controllers.gateway, *controllers.before_routes),
    )


def _gateway_policies(
    name: str,
    server: Server,
    exposure: GatewayBackend,
    controllers: Controllers,
    *,
    metadata: Manifest,
    after: pulumi.ResourceOptions,
) -> None:
    """GKE's policies on the Service of one version."""
    own = controllers.gateway.armor if controllers.gateway else None
    policy = gateway.backend_policy(
        server, controllers.settings.gateway, exposure, armor=own.name if own else None
    )
    for kind, spec in (
        ("HealthCheckPolicy", gateway.health_check(server)),
        ("GCPBackendPolicy", policy),
    ):
        CustomResource(
            name, api_version=POLICIES, kind=kind, metadata=sdk(metadata), spec=spec, opts=after
        )


def address(ingress: Sequence[Any] | None) -> str:
    """The first address or host name of a load balancer's status; empty until there is one."""
    for one in ingress or ():
        ip, hostname = (
            (one.get("ip"), one.get("hostname"))
            if isinstance(one, dict)
            else (one.ip, one.hostname)
        )
        return str(ip or hostname or "")
    return ""


def _also_after(
    opts: pulumi.ResourceOptions, *others: pulumi.Resource | None
) -> pulumi.ResourceOptions:
    wait = pulumi.ResourceOptions(depends_on=[one for one in others if one])
    return pulumi.ResourceOptions.merge(opts, wait)
