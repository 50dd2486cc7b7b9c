"""The controllers that serve routes inside the cluster: NGINX's and the environment's Gateways.

Each is created only if a model needs it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pulumi

from gkeplatform.contracts import DomainProof
from gkeplatform.labels import Labels
from gkeplatform.naming import Naming
from infra.serving.exposures.base import Server
from infra.serving.exposures.gateway_access import grant_access
from infra.serving.exposures.inference import certificates
from infra.serving.exposures.inference.gateway import InferenceArgs, ModelsInferenceGateway
from infra.serving.exposures.inference.sharing import shared_hosts, sharing
from infra.serving.exposures.models_gateway import ModelsGateway
from infra.serving.exposures.nginx_controller import NginxController
from infra.serving.exposures.settings import RouteSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Controllers:
    """The controllers of the environment, and the settings of the routes that they serve."""

    settings: RouteSettings
    nginx: NginxController | None
    gateway: ModelsGateway | None
    inference: ModelsInferenceGateway | None
    before_routes: tuple[pulumi.Resource, ...] = ()
    """What a route waits for besides its model's Service."""

    @property
    def proofs(self) -> pulumi.Output[list[DomainProof]]:
        """Records that must be in DNS before Google issues certificates."""
        none: list[DomainProof] = []
        return self.inference.proofs if self.inference else pulumi.Output.from_input(none)

    def after(self, canary: pulumi.Resource | None) -> "Controllers":
        """The same, with routes that wait for the canary: they would lead requests to no pod."""
        return replace(self, before_routes=(canary,)) if canary else self


def controllers(
    name: str,
    settings: RouteSettings,
    servers: Sequence[Server],
    *,
    namespace: pulumi.Resource,
    proxies: str,
    naming: Naming,
    labels: Labels,
    opts: pulumi.ResourceOptions,
) -> Controllers:
    """The controllers that `servers` need.

    `namespace` is the one that the Gateways go into, `proxies` the range of the proxy-only subnet.
    """
    exposures = [server.exposure for server in servers]
    exposures += [server.formerly.exposure for server in servers if server.formerly]
    nginx = gateway = inference = None
    ingress = settings.ingress
    if any(one.needs_ingress_controller for one in exposures) and ingress and ingress.controller:
        nginx = NginxController(
            "ingress-nginx",
            ingress.controller,
            class_name=ingress.class_name,
            labels=labels,
            opts=opts,
        )
    if any(one.needs_gateway_api for one in exposures):
        gateway = ModelsGateway(
            name,
            settings.gateway,
            namespace=settings.gateway_namespace,
            naming=naming,
            labels=labels,
            free_text=any(server.takes_free_text for server in servers if _is_on_gateway(server)),
            after=namespace,
            opts=opts,
        )
        grant_access(
            servers,
            project=naming.environment.project,
            opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(parent=gateway)),
        )
    if any(one.needs_inference_gateway for one in exposures):
        inference = ModelsInferenceGateway(
            "inference",
            InferenceArgs(
                settings=settings.inference,
                namespace=settings.gateway_namespace,
                shared=sharing(servers),
                shared_hosts=shared_hosts(servers),
                hosts=certificates.hosts(servers),
                proxies=proxies,
            ),
            naming=naming,
            labels=labels,
            after=namespace,
            opts=opts,
        )
    return Controllers(settings=settings, nginx=nginx, gateway=gateway, inference=inference)


def _is_on_gateway(server: Server) -> bool:
    """Whether it is behind the Gateway, or was until now."""
    formerly = [server.formerly.exposure] if server.formerly else []
    return any(one.needs_gateway_api for one in (server.exposure, *formerly))
