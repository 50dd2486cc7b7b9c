"""The component of the environment's Gateway and its global address."""

import pulumi
from pulumi_gcp import compute
from pulumi_kubernetes.apiextensions import CustomResource

from gkeplatform.labels import Labels
from gkeplatform.naming import Naming
from infra.serving.exposures import gateway_armor
from infra.serving.exposures import gateway_manifests as manifests
from infra.serving.exposures.gateway_manifests import API, NAME
from infra.serving.exposures.settings import GatewayArgs
from infra.serving.manifest import Manifest, sdk


class ModelsGateway(pulumi.ComponentResource):
    """The Gateway, its address and security policy, and a redirect to HTTPS with certificates."""

    address: pulumi.Output[str]
    armor: compute.SecurityPolicy | None
    """Of models without another one; None without rules."""

    def __init__(
        self,
        name: str,
        args: GatewayArgs,
        *,
        namespace: str,
        naming: Naming,
        labels: Labels,
        free_text: bool,
        after: pulumi.Resource,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`after` is what must exist before objects are created in `namespace`.

        `free_text`: whether a model behind it takes prompts, code or documents.
        """
        super().__init__("gkeplatform:serving:ModelsGateway", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        metadata: Manifest = {
            "name": NAME,
            "namespace": namespace,
            "labels": labels.kubernetes(name=NAME, component="gateway"),
        }
        # Reserved, so that a recreated Gateway keeps its address.
        reserved = compute.GlobalAddress(
            name, name=naming.of("gateway"), labels=labels.google(), opts=child
        )
        self.address = reserved.address
        self.armor = None
        if args.armor:
            self.armor = gateway_armor.security_policy(
                name, args.armor, free_text=free_text, naming=naming, opts=child
            )
        gateway = CustomResource(
            name,
            api_version=API,
            kind="Gateway",
            metadata=sdk({**metadata, "annotations": manifests.annotations(args)}),
            spec=manifests.gateway(
                args,
                address=reserved.name,
                namespace_labels={"app.kubernetes.io/part-of": naming.environment.system},
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[after]),
        )
        if args.certificate_map:
            CustomResource(
                f"{name}-redirect",
                api_version=API,
                kind="HTTPRoute",
                metadata=sdk({**metadata, "name": "redirect"}),
                spec=manifests.redirect(namespace),
                opts=pulumi.ResourceOptions(parent=self, depends_on=[gateway]),
            )
        self.register_outputs({"address": self.address})
