"""What leads HTTP to models inside the cluster: NGINX's controller and the Gateway.

Neither is made where no model asks for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from gkeplatform.labels import Labels
from gkeplatform.naming import Naming
from infra.serving.config import ServingConfig
from infra.serving.gateway import ModelsGateway
from infra.serving.http_routes import Gateway, GatewayArgs, Ingress, IngressArgs
from infra.serving.namespace import ModelsNamespace
from infra.serving.nginx import NginxController


@dataclass(frozen=True, slots=True)
class Entrances:
    """The entrances that there are, for the routes of models to lead through."""

    ingress: IngressArgs | None
    nginx: NginxController | None
    gateway_args: GatewayArgs
    gateway: ModelsGateway | None
    gateway_namespace: str


def entrances(
    name: str,
    args: ServingConfig,
    *,
    homes: Mapping[str, ModelsNamespace],
    naming: Naming,
    labels: Labels,
    opts: pulumi.ResourceOptions,
) -> Entrances:
    """The entrances that the catalogue's models ask for."""
    asked = {type(model.exposure) for model in args.models}
    nginx = gateway = None
    if Ingress in asked and args.ingress and args.ingress.controller:
        nginx = NginxController(
            "ingress-nginx",
            args.ingress.controller,
            class_name=args.ingress.class_name,
            labels=labels,
            opts=opts,
        )
    if Gateway in asked:
        gateway = ModelsGateway(
            name,
            args.gateway,
            home=homes[args.namespace],
            naming=naming,
            labels=labels,
            opts=opts,
        )
    return Entrances(args.ingress, nginx, args.gateway, gateway, args.namespace)
