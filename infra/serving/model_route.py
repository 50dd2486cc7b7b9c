"""The route of one model through the entrance that its exposure names."""

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.networking import v1 as networking

from infra.serving import gateway_objects as gateway
from infra.serving import ingress
from infra.serving.entrances import Entrances
from infra.serving.http_routes import Gateway, Ingress
from infra.serving.manifest import Manifest
from infra.serving.model import Model


def route(
    name: str,
    model: Model,
    through: Entrances,
    *,
    metadata: Manifest,
    opts: pulumi.ResourceOptions,
) -> pulumi.Output[str] | None:
    """Lead the model's path to its Service; the address where it is reached.

    None: the model's exposure needs no route. An Ingress's address is empty until it has one.
    """
    match model.exposure:
        case Ingress() as exposure if through.ingress:
            annotated: Manifest = {**metadata, "annotations": ingress.annotations(through.ingress)}
            made = networking.Ingress(
                name,
                metadata=annotated,
                spec=ingress.ingress(model, exposure, through.ingress),
                opts=_after(opts, through.nginx),
            )
            given: pulumi.Output[str] = made.status.load_balancer.ingress.apply(ingress.address)
            return given
        case Gateway() as exposure if through.gateway:
            spec = gateway.http_route(
                model, exposure, through.gateway_args, namespace=through.gateway_namespace
            )
            after = _after(opts, through.gateway)
            CustomResource(
                name,
                api_version=gateway.API,
                kind="HTTPRoute",
                metadata=metadata,
                spec=spec,
                opts=after,
            )
            for kind, said in (
                ("HealthCheckPolicy", gateway.health_check(model)),
                ("GCPBackendPolicy", gateway.backend_policy(model, through.gateway_args)),
            ):
                CustomResource(
                    name,
                    api_version=gateway.POLICIES,
                    kind=kind,
                    metadata=metadata,
                    spec=said,
                    opts=opts,
                )
            return through.gateway.address
        case _:
            return None


def _after(
    opts: pulumi.ResourceOptions, entrance: pulumi.Resource | None
) -> pulumi.ResourceOptions:
    wait = pulumi.ResourceOptions(depends_on=[entrance] if entrance else [])
    return pulumi.ResourceOptions.merge(opts, wait)
