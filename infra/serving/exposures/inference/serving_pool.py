"""The component of one version's InferencePool and of its endpoint picker.

For a model with callers the load balancer leads to the gateway that asks for keys, and the gateway
asks the picker. What then differs has other names: it is there before the route moves, and Pulumi
deletes the former afterwards.
"""

import hashlib
from collections.abc import Mapping, Sequence

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.apps import v1 as apps
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.networking import v1 as networking
from pulumi_kubernetes.policy import v1 as policy
from pulumi_kubernetes.rbac import v1 as rbac

from infra.serving import waits
from infra.serving.exposures import gateway as of_service
from infra.serving.exposures.base import Server
from infra.serving.exposures.gateway_manifests import API, POLICIES
from infra.serving.exposures.inference import picker, pool
from infra.serving.exposures.inference.gateway import ModelsInferenceGateway
from infra.serving.exposures.inference.pool_access import GUARDED, access
from infra.serving.exposures.inference.routes import route
from infra.serving.exposures.inference_gateway import InferenceGateway, InferencePoolSettings
from infra.serving.manifest import Manifest, role_reference, sdk


class ServingPool(pulumi.ComponentResource):
    """The pool of a version of a model, GKE's policies on it, and the picker that it refers to."""

    def __init__(
        self,
        name: str,
        server: Server,
        exposure: InferencePoolSettings,
        *,
        gateway: ModelsInferenceGateway,
        entrance: Mapping[str, str] | None,
        before_route: Sequence[pulumi.Resource],
        metadata: Manifest,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`entrance` has the labels of the pods of the gateway for callers; None: it has none."""
        super().__init__("gkeplatform:serving:ServingPool", name, None, opts)
        self._metadata = metadata
        child = pulumi.ResourceOptions(parent=self)
        running = self._picker(server, exposure, gateway)
        if entrance is not None:
            running += self._ready_pickers(server)
        for suffix, spec in access(server, entrance, proxies=gateway.args.proxies).items():
            networking.NetworkPolicy(
                name if entrance is None else f"{name}{suffix}",
                metadata=sdk({**metadata, "name": f"{server.name}{suffix}"}),
                spec=sdk(spec),
                opts=child,
            )
        made = CustomResource(
            name,
            api_version=pool.API,
            kind=pool.KIND,
            metadata=sdk(metadata),
            spec=pool.pool(server, exposure),
            # The load balancer asks the picker as soon as a route leads to the pool.
            opts=pulumi.ResourceOptions(parent=self, depends_on=running),
        )
        self.pool = made
        after = pulumi.ResourceOptions(parent=self, depends_on=[made])
        own = gateway.armor.name if gateway.armor else None
        called, check = name, pool.health_check(server)
        if entrance is not None:
            called, check = f"{name}{GUARDED}", of_service.health_check(server)
        backend = pool.backend_policy(
            server, exposure, gateway.args.settings, armor=own, of=check["targetRef"]
        )
        for kind, spec in (("HealthCheckPolicy", check), ("GCPBackendPolicy", backend)):
            CustomResource(
                called,
                api_version=POLICIES,
                kind=kind,
                metadata=sdk({**metadata, "name": called}),
                spec=spec,
                opts=after,
            )
        if isinstance(exposure, InferenceGateway):
            self._objectives(server, exposure, gateway)
            CustomResource(
                name,
                api_version=API,
                kind="HTTPRoute",
                metadata=sdk(metadata),
                spec=route(
                    server,
                    exposure,
                    gateway.args.settings,
                    namespace=gateway.args.namespace,
                    shares_host=server.name in gateway.args.shared,
                    is_guarded=entrance is not None,
                ),
                opts=pulumi.ResourceOptions(parent=self, depends_on=[made, gateway, *before_route]),
            )
        self.register_outputs({})

    def _ready_pickers(self, server: Server) -> list[pulumi.Resource]:
        """The Service by which the gateway for callers finds the pickers that are ready."""
        name = picker.ready_service_name(server)
        labels = {**self._metadata["labels"], **picker.selector(server)}
        metadata: Manifest = {**self._metadata, "name": name, "labels": labels}
        return [
            core.Service(
                name,
                metadata=sdk({**metadata, "annotations": waits.NOTHING}),
                spec=sdk(picker.ready_service(server)),
                opts=pulumi.ResourceOptions(parent=self),
            )
        ]

    def _objectives(
        self, server: Server, exposure: InferenceGateway, gateway: ModelsInferenceGateway
    ) -> None:
        for name, priority in sorted(exposure.objectives.items()):
            full = pool.objective_name(server, name)
            CustomResource(
                full,
                api_version=pool.OBJECTIVES_API,
                kind="InferenceObjective",
                metadata=sdk({**self._metadata, "name": full}),
                spec=pool.objective(server, priority),
                opts=pulumi.ResourceOptions(parent=self, depends_on=[self.pool, *gateway.kinds]),
            )

    def _picker(
        self, server: Server, exposure: InferencePoolSettings, gateway: ModelsInferenceGateway
    ) -> list[pulumi.Resource]:
        """The endpoint picker's objects; its Service, which the pool refers to.

        A picker is ready only once its pool exists, so that the pool does not wait for it.
        """
        args, name = exposure.picker, picker.picker_name(server)
        child = pulumi.ResourceOptions(parent=self)
        own = {**self._metadata["labels"], **picker.selector(server)}
        metadata: Manifest = {**self._metadata, "name": name, "labels": own}
        account = core.ServiceAccount(
            name, metadata=sdk(metadata), automount_service_account_token=False, opts=child
        )
        subject: Manifest = {
            "kind": "ServiceAccount",
            "name": name,
            "namespace": server.namespace,
        }
        rights: list[pulumi.Resource] = [
            account,
            rbac.Role(name, metadata=sdk(metadata), rules=sdk(picker.rules(args)), opts=child),
            rbac.RoleBinding(
                name,
                metadata=sdk(metadata),
                role_ref=sdk(role_reference("Role", name)),
                subjects=sdk([subject]),
                opts=child,
            ),
        ]
        data = picker.configuration(args, has_adapters=server.takes_adapters)
        config = core.ConfigMap(name, metadata=sdk(metadata), data=data, opts=child)
        digest = hashlib.sha256(data[picker.CONFIG_FILE].encode()).hexdigest()[:8]
        apps.Deployment(
            name,
            metadata=sdk({**metadata, "annotations": picker.wait(args)}),
            spec=sdk(picker.deployment(server, args, labels=own, config_digest=digest)),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*rights, config, *gateway.kinds]),
        )
        service = core.Service(
            name,
            metadata=sdk({**metadata, "annotations": waits.NOTHING}),
            spec=sdk(picker.service(server)),
            opts=child,
        )
        policy.PodDisruptionBudget(
            name,
            metadata=sdk(metadata),
            spec=sdk(picker.disruption_budget(server, args)),
            opts=child,
        )
        networking.NetworkPolicy(
            name,
            metadata=sdk(metadata),
            spec=sdk(picker.network_policy(server, proxies=gateway.args.proxies)),
            opts=child,
        )
        return [service]
