"""The environment's Gateway: a global address, and what GKE listens to there."""

import pulumi
from pulumi_gcp import compute
from pulumi_kubernetes.apiextensions import CustomResource

from gkeplatform.labels import Labels
from gkeplatform.naming import Naming
from infra.serving import gateway_objects as objects
from infra.serving.gateway_objects import API, NAME
from infra.serving.http_routes import GatewayArgs
from infra.serving.manifest import Manifest
from infra.serving.namespace import ModelsNamespace


class ModelsGateway(pulumi.ComponentResource):
    """Gateway, its address, and the redirect to HTTPS where it has certificates."""

    address: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        args: GatewayArgs,
        *,
        home: ModelsNamespace,
        naming: Naming,
        labels: Labels,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("gkeplatform:serving:ModelsGateway", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        inside = pulumi.ResourceOptions(parent=self, depends_on=[home.namespace])
        bear = labels.kubernetes(name=NAME, component="gateway")
        metadata: Manifest = {"name": NAME, "namespace": home.name, "labels": bear}
        # Its own, so that a Gateway that is made anew answers where the old one did.
        reserved = compute.GlobalAddress(
            name, name=naming.of("gateway"), labels=labels.google(), opts=child
        )
        self.address = reserved.address
        gateway = CustomResource(
            name,
            api_version=API,
            kind="Gateway",
            metadata={**metadata, "annotations": objects.annotations(args)},
            spec=objects.gateway(
                args,
                address=reserved.name,
                namespaces={"app.kubernetes.io/part-of": naming.environment.system},
            ),
            opts=inside,
        )
        if args.certificate_map:
            CustomResource(
                f"{name}-redirect",
                api_version=API,
                kind="HTTPRoute",
                metadata={**metadata, "name": "redirect"},
                spec=objects.redirect(home.name),
                opts=pulumi.ResourceOptions(parent=self, depends_on=[gateway]),
            )
        self.register_outputs({"address": self.address})
