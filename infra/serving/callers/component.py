"""The components of callers: each model's gateway, the keys of a namespace, and the limits."""

from collections.abc import Mapping, Sequence

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.apps import v1 as apps
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.networking import v1 as networking
from pulumi_kubernetes.policy import v1 as policy

from gkeplatform.labels import Labels
from gkeplatform.naming import Naming
from infra.serving import waits
from infra.serving.callers import gateway, limits_service, pods
from infra.serving.callers.pods import GATEWAY, LIMITS
from infra.serving.callers.settings import CallersArgs
from infra.serving.former_servers import FormerServer
from infra.serving.live_routes import LiveRoutes
from infra.serving.manifest import Manifest, sdk
from infra.serving.models import Workload
from infra.serving.own_objects import OwnObjects
from infra.serving.secret_sync import CLASSES, SYNCS, WAIT
from infra.serving.tenancy.namespaces import ModelsNamespace
from infra.serving.tenancy.workload_identity import Role, workload_identity

TYPE = "gkeplatform:serving:CallersGateway"


class CallerKeys(pulumi.ComponentResource):
    """The API keys in a namespace, and the account that may read them; models' own may not."""

    synchronized: pulumi.Resource

    def __init__(
        self,
        name: str,
        callers: CallersArgs,
        *,
        namespace: ModelsNamespace,
        workload_pool: str,
        naming: Naming,
        labels: Labels,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("gkeplatform:serving:CallerKeys", name, None, opts)
        inside = pulumi.ResourceOptions(parent=self, depends_on=[namespace.namespace])
        identity = workload_identity(
            name,
            Role(
                account=gateway.ACCOUNT,
                component=GATEWAY,
                name="callers",
                title="API keys of callers",
                secrets=[one.secret_manager for one in callers.keys],
            ),
            namespace=namespace,
            workload_pool=workload_pool,
            naming=naming,
            labels=labels,
            parent=self,
        )
        provider_class = CustomResource(
            name,
            api_version=CLASSES,
            kind="SecretProviderClass",
            metadata=sdk(identity.metadata),
            spec=gateway.provider_class(callers, project=naming.environment.project),
            opts=inside,
        )
        self.synchronized = CustomResource(
            name,
            api_version=SYNCS,
            kind="SecretSync",
            metadata=sdk({**identity.metadata, "annotations": WAIT}),
            spec=gateway.secret_sync(callers),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*identity.grants, provider_class]),
        )
        self.register_outputs({})


class CallerLimits(pulumi.ComponentResource):
    """The rate limit service, which counts for the gateways of all namespaces."""

    def __init__(
        self,
        name: str,
        callers: CallersArgs,
        *,
        namespace: ModelsNamespace,
        labels: Labels,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("gkeplatform:serving:CallerLimits", name, None, opts)
        inside = pulumi.ResourceOptions(parent=self, depends_on=[namespace.namespace])
        own = labels.kubernetes(name=LIMITS, component=LIMITS)
        metadata: Manifest = {"name": LIMITS, "namespace": namespace.name, "labels": own}
        settings = core.ConfigMap(
            name, metadata=sdk(metadata), data=limits_service.settings(callers), opts=inside
        )
        account = core.ServiceAccount(
            name, metadata=sdk(metadata), automount_service_account_token=False, opts=inside
        )
        deployment = apps.Deployment(
            name,
            metadata=sdk(metadata),
            spec=sdk(limits_service.deployment(labels=own)),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[settings, account]),
        )
        core.Service(
            name,
            metadata=sdk({**metadata, "annotations": waits.NOTHING}),
            spec=sdk(limits_service.service()),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[deployment]),
        )
        policy.PodDisruptionBudget(
            name,
            metadata=sdk(metadata),
            spec=sdk(pods.disruption_budget(limits_service.SELECTOR)),
            opts=inside,
        )
        networking.NetworkPolicy(
            name, metadata=sdk(metadata), spec=sdk(limits_service.network_policy()), opts=inside
        )
        self.register_outputs({})


class CallersGateway(pulumi.ComponentResource):
    """The gateway of one model, or of its canary."""

    deployment: apps.Deployment

    def __init__(
        self,
        name: str,
        workload: Workload,
        *,
        callers: CallersArgs,
        limits_namespace: str,
        after: Sequence[pulumi.Resource],
        labels: Labels,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(TYPE, name, None, opts)
        own = labels.kubernetes(name=gateway.name(workload), component=GATEWAY)
        metadata: Manifest = {
            "name": gateway.name(workload),
            "namespace": workload.namespace,
            "labels": own,
        }
        inside = pulumi.ResourceOptions(parent=self, depends_on=list(after))
        data = gateway.settings(workload, callers, namespace=limits_namespace)
        settings = core.ConfigMap(
            gateway.name(workload), metadata=sdk(metadata), data=data, opts=inside
        )
        spec = gateway.deployment(
            workload,
            replicas=callers.replicas,
            labels=own,
            config_digest=gateway.digest(data),
        )
        server = core.Service(
            gateway.server_service_name(workload),
            metadata=sdk(
                {
                    **metadata,
                    "name": gateway.server_service_name(workload),
                    "annotations": waits.NOTHING,
                }
            ),
            spec=sdk(gateway.server_service(workload)),
            opts=inside,
        )
        self.deployment = apps.Deployment(
            gateway.name(workload),
            metadata=sdk(metadata),
            spec=sdk(spec),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[settings, server]),
        )
        policy.PodDisruptionBudget(
            gateway.name(workload),
            metadata=sdk(metadata),
            spec=sdk(pods.disruption_budget(gateway.selector(workload))),
            opts=inside,
        )
        self.register_outputs({})


def callers_gateways(  # noqa: PLR0913 (what the rooms beside it give)
    name: str,
    callers: CallersArgs | None,
    workloads: Sequence[Workload],
    *,
    namespaces: Mapping[str, ModelsNamespace],
    limits_namespace: str,
    live: LiveRoutes,
    objects: OwnObjects,
    workload_pool: str,
    naming: Naming,
    labels: Labels,
    opts: pulumi.ResourceOptions,
) -> Mapping[str, CallersGateway]:
    """The gateways by workload; none without callers. Their objects are noted in `objects`.

    Those of versions that have left the catalogue and stay for the load balancer stay as well.
    """
    guarded = [one for one in workloads if one.callers]
    served = {one.namespace for one in guarded} | live.guarded
    if callers is None or not served:
        return {}
    limits = CallerLimits(
        name, callers, namespace=namespaces[limits_namespace], labels=labels, opts=opts
    )
    keys = {
        namespace: CallerKeys(
            f"{namespace}-{name}",
            callers,
            namespace=namespaces[namespace],
            workload_pool=workload_pool,
            naming=naming,
            labels=labels,
            opts=opts,
        )
        for namespace in sorted(served)
    }
    for name_, former in live.leaving.items():
        if former.outlasting.is_guarded:
            FormerServer(name_, former.outlasting.objects, type_=TYPE, opts=opts)
    return {
        one.name: CallersGateway(
            one.name,
            one,
            callers=callers,
            limits_namespace=limits_namespace,
            after=[keys[one.namespace].synchronized, limits],
            labels=labels,
            opts=objects.noting(one.name, opts),
        )
        for one in guarded
    }
