"""The component of the environment's Inference Gateway: address, Gateway, body-based router."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_gcp import compute
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.apiextensions import v1 as apiextensions
from pulumi_kubernetes.apps import v1 as apps
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.networking import v1 as networking
from pulumi_kubernetes.policy import v1 as policy

from gkeplatform.contracts import DomainProof
from gkeplatform.labels import Labels
from gkeplatform.naming import Naming
from infra.serving import waits
from infra.serving.exposures.gateway_manifests import API, POLICIES
from infra.serving.exposures.inference import armor, router
from infra.serving.exposures.inference import gateway_manifests as manifests
from infra.serving.exposures.inference.certificates import HostCertificates
from infra.serving.exposures.inference.definitions import definitions
from infra.serving.exposures.inference.gateway_manifests import NAME
from infra.serving.exposures.inference.settings import InferenceGatewayArgs, RouterArgs
from infra.serving.manifest import Manifest, sdk


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceArgs:
    """What the Gateway and all pools behind it share."""

    settings: InferenceGatewayArgs
    namespace: str
    """Namespace of the Gateway."""
    shared: frozenset[str]
    """Models that share a host."""
    shared_hosts: tuple[str, ...]
    """The hosts that they share."""
    hosts: tuple[str, ...]
    """The hosts of all models behind it."""
    proxies: str
    """Range of the proxy-only subnet."""


class ModelsInferenceGateway(pulumi.ComponentResource):
    """The Gateway that all models with `kind: inference-gateway` share, in one region.

    GKE admits its proxies and health checks by a firewall rule of its own, `gkegw1-l7-…`:
    https://docs.cloud.google.com/kubernetes-engine/docs/concepts/firewall-rules.
    """

    address: pulumi.Output[str]
    proofs: pulumi.Output[list[DomainProof]]
    """Records that prove the hosts of its managed certificates."""
    armor: compute.RegionSecurityPolicy | None
    """The policy of models that name no other; None where it is made elsewhere, or there is none.
    """
    kinds: list[pulumi.Resource]
    """The definitions that endpoint pickers look for when they start."""

    def __init__(
        self,
        name: str,
        args: InferenceArgs,
        *,
        naming: Naming,
        labels: Labels,
        after: pulumi.Resource,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("gkeplatform:serving:ModelsInferenceGateway", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        inside = pulumi.ResourceOptions(parent=self, depends_on=[after])
        self.args = args
        self.kinds = [
            apiextensions.CustomResourceDefinition(
                kind,
                metadata={"name": kind, "labels": labels.kubernetes(name=kind, component=NAME)},
                spec=sdk(spec),
                opts=child,
            )
            for kind, spec in definitions().items()
        ]
        metadata: Manifest = {
            "name": NAME,
            "namespace": args.namespace,
            "labels": labels.kubernetes(name=NAME, component="gateway"),
        }
        # Reserved, so that a recreated Gateway keeps its address.
        reserved = compute.Address(
            name,
            name=naming.of(NAME),
            address_type="EXTERNAL",
            region=naming.environment.region,
            labels=labels.google(),
            opts=child,
        )
        self.address = reserved.address
        rules = args.settings.armor
        self.armor = (
            armor.security_policy(name, rules, naming=naming, opts=child) if rules else None
        )
        managed: Sequence[HostCertificates] = ()
        if args.settings.managed_certificates:
            managed = [HostCertificates(name, args.hosts, naming=naming, labels=labels, opts=child)]
        none: list[DomainProof] = []
        self.proofs = managed[0].proofs if managed else pulumi.Output.from_input(none)
        gateway = CustomResource(
            name,
            api_version=API,
            kind="Gateway",
            metadata=sdk({**metadata, "annotations": manifests.WAIT}),
            spec=manifests.gateway(
                (*args.settings.certificates, *(name for one in managed for name in one.names)),
                address=reserved.name,
                namespace_labels={"app.kubernetes.io/part-of": naming.environment.system},
            ),
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[after, *(made for one in managed for made in one.made)]
            ),
        )
        self.gateway = gateway
        if args.settings.is_encrypted:
            CustomResource(
                f"{name}-redirect",
                api_version=API,
                kind="HTTPRoute",
                metadata=sdk({**metadata, "name": f"{NAME}-redirect"}),
                spec=manifests.redirect(args.namespace),
                opts=pulumi.ResourceOptions(parent=self, depends_on=[gateway]),
            )
        if args.shared:
            self._router(args.settings.router, labels, inside)
        self.register_outputs({"address": self.address})

    def _router(self, args: RouterArgs, labels: Labels, opts: pulumi.ResourceOptions) -> None:
        """The body-based router, and the Gateway's reference to it."""
        own = labels.kubernetes(name=router.NAME, component=router.COMPONENT)
        metadata: Manifest = {"name": router.NAME, "namespace": self.args.namespace, "labels": own}
        account = core.ServiceAccount(
            router.NAME, metadata=sdk(metadata), automount_service_account_token=False, opts=opts
        )
        service = core.Service(
            router.NAME,
            metadata=sdk({**metadata, "annotations": waits.NOTHING}),
            spec=sdk(router.service()),
            opts=opts,
        )
        deployment = apps.Deployment(
            router.NAME,
            metadata=sdk(metadata),
            spec=sdk(router.deployment(args, labels=own)),
            opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[account])),
        )
        policy.PodDisruptionBudget(
            router.NAME, metadata=sdk(metadata), spec=sdk(router.disruption_budget()), opts=opts
        )
        networking.NetworkPolicy(
            router.NAME,
            metadata=sdk(metadata),
            spec=sdk(router.network_policy(proxies=self.args.proxies)),
            opts=opts,
        )
        after = pulumi.ResourceOptions(parent=self, depends_on=[service, deployment, self.gateway])
        for kind, spec in (
            ("HealthCheckPolicy", router.health_check()),
            ("GCPRoutingExtension", router.routing_extension(self.args.shared_hosts)),
        ):
            CustomResource(
                router.NAME,
                api_version=POLICIES,
                kind=kind,
                metadata=sdk(metadata),
                spec=spec,
                opts=after,
            )
