"""The components of a model server: all Kubernetes objects of one workload."""

from collections.abc import Collection, Mapping, Sequence
from functools import partial

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.apps import v1 as apps
from pulumi_kubernetes.autoscaling import v2 as autoscaling
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.policy import v1 as policy

from gkeplatform import leader_worker_sets
from gkeplatform.labels import Labels
from infra.serving import changed_kinds, changed_ports, former_servers, secret_sync, waits
from infra.serving.callers import gateway as callers_gateway
from infra.serving.callers.component import CallersGateway
from infra.serving.callers.pods import GUARDED
from infra.serving.config import ServingConfig
from infra.serving.exposures import endpoint_groups, node_ports
from infra.serving.exposures.controllers import Controllers
from infra.serving.exposures.routes import route
from infra.serving.live_routes import Kept, LiveRoutes
from infra.serving.manifest import Manifest, sdk
from infra.serving.models import (
    Workload,
    adapter_sidecar,
    files,
    gpu_start,
    group,
    rollout,
    secrets,
    utilization,
)
from infra.serving.models.deployment import deployment
from infra.serving.models.disruption import disruption_budget
from infra.serving.models.group import leader_worker_set
from infra.serving.models.pod import OPEN, OPEN_REST
from infra.serving.models.reference_checks import labels as needed_labels
from infra.serving.models.reference_checks import references
from infra.serving.own_objects import OwnObjects
from infra.serving.placement import Placement
from infra.serving.reference_checks import reference_checks
from infra.serving.scaling.autoscaler import autoscaler
from infra.serving.tenancy.namespaces import ModelsNamespace

OPENED = {OPEN: OPEN_REST}
"""Label of pods that are reached by a node port."""
TIMEOUT = "pulumi.com/timeoutSeconds"
"""How long the engine waits until an object is ready. Default: ten minutes."""


class ModelServer(pulumi.ComponentResource):
    """Deployment, Service, disruption budget, route and an autoscaler on CPU and memory.

    A model on several hosts has a LeaderWorkerSet in place of the Deployment.
    """

    deployment: pulumi.Resource
    service: core.Service
    address: pulumi.Output[str] | None
    """Where the model is reached; None if its exposure has no address in this layer."""

    def __init__(  # noqa: PLR0913 (what each room gives to the objects of a model)
        self,
        name: str,
        args: Workload,
        *,
        namespace: ModelsNamespace,
        placement: Placement,
        live: LiveRoutes,
        controllers: Controllers,
        imports: Mapping[str, pulumi.Resource],
        gateway: CallersGateway | None,
        groups: Sequence[pulumi.Resource] = (),
        labels: Labels,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`groups` is the controller of LeaderWorkerSets."""
        super().__init__(former_servers.TYPE, name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        kept = live.kept[args.name]
        unknown = live.ports.get(args.name, ()) if pulumi.runtime.is_dry_run() else ()
        object_labels = labels.kubernetes(name=args.name, component="model-server")
        metadata: Manifest = {
            "name": args.name,
            "namespace": namespace.name,
            "labels": object_labels,
        }
        if volume := files.shared_volume(args.files):
            # It is bound by the first pod, which is created after it.
            claim = {
                "name": files.claim(args.name),
                "annotations": {"pulumi.com/skipAwait": "true"},
            }
            core.PersistentVolumeClaim(
                name, metadata=sdk({**metadata, **claim}), spec=sdk(volume), opts=child
            )
        make = partial(leader_worker_set, close=placement.close) if args.is_group else deployment
        pods = make(
            args,
            rolling_update=placement.rolling_update,
            tolerations=placement.tolerations,
            labels={
                **object_labels,
                **(OPENED if kept.node_port else {}),
                **(GUARDED if gateway else {}),
            },
            account=namespace.account,
        )
        said = [kept.advice] if kept.advice else []
        for advice in (*args.advice, *utilization.advice(args), *said):
            pulumi.log.warn(advice, resource=self)
        before = secret_sync.synchronize(
            args.name,
            secrets.synced(args.references),
            account=namespace.account,
            project=live.names.naming.environment.project,
            metadata=metadata,
            parent=self,
        )
        before += self._read_by_pods(args, metadata, imports)
        annotations = {
            **endpoint_groups.annotations(
                {**kept.groups, **args.exposure.endpoint_groups(args, live.names)}
            ),
            **args.exposure.service_wait(),
        }
        service_metadata = sdk({**metadata, "annotations": annotations})
        service_spec = args.exposure.service(args)
        if gateway is not None:
            # Requests go by the gateway before the pods admit it alone.
            service_spec["selector"] = callers_gateway.selector(args)
            self.service = core.Service(
                name,
                metadata=service_metadata,
                spec=sdk(changed_ports.hidden(service_spec, unknown)),
                opts=pulumi.ResourceOptions(parent=self, depends_on=[gateway.deployment]),
            )
            before.append(self.service)
        wait = {TIMEOUT: str(rollout.wait_seconds(args, placement.rolling_update))}
        kinds = live.kinds.get(args.name, ()) if pulumi.runtime.is_dry_run() else ()
        spec = changed_kinds.hidden(changed_ports.hidden(pods, unknown), kinds, server=args.name)
        if args.is_group:
            told = {**wait, **waits.AVAILABLE, **group.annotations(args)}
            self.deployment = CustomResource(
                name,
                api_version=leader_worker_sets.API,
                kind=leader_worker_sets.KIND,
                metadata=sdk({**metadata, "annotations": told}),
                spec=spec,
                opts=pulumi.ResourceOptions(parent=self, depends_on=[*before, *groups]),
            )
        else:
            self.deployment = apps.Deployment(
                name,
                metadata=sdk(
                    {
                        **metadata,
                        "labels": {**object_labels, **needed_labels(args)},
                        "annotations": wait,
                    }
                ),
                spec=sdk(spec),
                opts=pulumi.ResourceOptions(parent=self, depends_on=before),
            )
        if gateway is None:
            self.service = core.Service(
                name,
                metadata=service_metadata,
                spec=sdk(changed_ports.hidden(service_spec, unknown)),
                # The engine waits for an endpoint, also where the API server has refused the pods
                # for a missing Secret: that would be told ten minutes later.
                opts=pulumi.ResourceOptions(
                    parent=self, depends_on=[self.deployment] if references(args) else []
                ),
            )
        self._node_ports(args, kept, live, metadata, unknown)
        policy.PodDisruptionBudget(
            name, metadata=sdk(metadata), spec=sdk(disruption_budget(args)), opts=child
        )
        if args.autoscaling and not args.autoscaling.needs_keda:
            scaler = autoscaler(args.autoscaling, args.replicas, name=args.name, hosts=args.hosts)
            autoscaling.HorizontalPodAutoscaler(
                name, metadata=sdk(metadata), spec=sdk(scaler), opts=child
            )
        entrance = callers_gateway.selector(args) if gateway else None
        self.address = route(
            name,
            args,
            args.exposure,
            controllers,
            service=self.service,
            entrance=entrance,
            metadata=metadata,
            parent=self,
        )
        if args.formerly:
            former = args.formerly
            route(
                name,
                former,
                former.exposure,
                controllers,
                service=self.service,
                entrance=entrance,
                metadata=metadata,
                parent=self,
            )
        self.register_outputs({"address": self.address})

    def _read_by_pods(
        self, args: Workload, metadata: Manifest, imports: Mapping[str, pulumi.Resource]
    ) -> list[pulumi.Resource]:
        """What the pods wait for: the imports of their files, and their ConfigMaps."""
        jobs = [imports[one.name] for one in args.imports]
        maps: dict[str, dict[str, str]] = {}
        if args.adapters is not None:
            maps[adapter_sidecar.config_map(args.name)] = adapter_sidecar.data(args.adapters)
        if args.arguments_by_gpu:
            maps[gpu_start.config_map(args.name)] = gpu_start.data()
        found = [
            core.ConfigMap(
                name,
                metadata=sdk({**metadata, "name": name}),
                data=data,
                opts=pulumi.ResourceOptions(parent=self, depends_on=jobs),
            )
            for name, data in maps.items()
        ]
        return [*jobs, *found]

    def _node_ports(
        self,
        args: Workload,
        kept: Kept,
        live: LiveRoutes,
        metadata: Manifest,
        unknown: Collection[str],
    ) -> None:
        """A Service for each node port; the numbers of the ports `unknown` are left unknown."""
        for number in {one for one in (args.exposure.node_port, kept.node_port) if one}:
            service = node_ports.service_name(number)
            # A preview asks the API server, which has the port in use until the update.
            is_taken = live.node_ports.get(number, args.namespace) != args.namespace
            spec = node_ports.service(
                args,
                number,
                protocol=args.exposure.protocol,
                is_known=not (is_taken and pulumi.runtime.is_dry_run()),
            )
            core.Service(
                service,
                metadata=sdk({**metadata, "name": service, "annotations": waits.NOTHING}),
                spec=sdk(changed_ports.hidden(spec, unknown)),
                # Its port is free only when the Service that had it is deleted, or has changed;
                # requests fail from then on until the pods that it leads to are ready.
                opts=pulumi.ResourceOptions(
                    parent=self,
                    depends_on=[self.deployment, self.service],
                    delete_before_replace=True,
                ),
            )


class ModelServers(pulumi.ComponentResource):
    """The model servers of the whole catalog."""

    addresses: pulumi.Output[dict[str, str]]
    """The addresses that this layer knows, by model."""

    def __init__(  # noqa: PLR0913 (what each room gives to the objects of a model)
        self,
        name: str,
        args: ServingConfig,
        *,
        namespaces: Mapping[str, ModelsNamespace],
        placements: Mapping[str, Placement],
        live: LiveRoutes,
        controllers: Controllers,
        imports: Mapping[str, pulumi.Resource],
        gateways: Mapping[str, CallersGateway],
        groups: Sequence[pulumi.Resource],
        objects: OwnObjects,
        labels: Labels,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`imports` are the Jobs by name; pods start after those of their model.

        `gateways` are those for callers, by model.
        `groups` is the controller of models on several hosts.
        The objects of each model are noted in `objects`.
        """
        super().__init__("gkeplatform:serving:ModelServers", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        checks = reference_checks(name, args.workloads, labels=labels, opts=child)
        servers: dict[str, ModelServer] = {}
        # A canary comes first: its model's route leads to both.
        for workload in sorted(args.workloads, key=lambda one: one.canary is not None):
            canary = servers.get(workload.canary.name) if workload.canary else None
            servers[workload.name] = ModelServer(
                workload.name,
                workload,
                namespace=namespaces[workload.namespace],
                placement=placements[workload.name],
                live=live,
                controllers=controllers.after(canary),
                imports=imports,
                gateway=gateways.get(workload.name),
                groups=groups,
                labels=labels,
                opts=objects.noting(
                    workload.name, checks.before(workload.name, child) if checks else child
                ),
            )
        for former_name, former in live.leaving.items():
            former_servers.FormerServer(former_name, former.outlasting.objects, opts=child)
        addresses = {key: server.address for key, server in servers.items() if server.address}
        # Output.all() of nothing is a list.
        none: pulumi.Output[dict[str, str]] = pulumi.Output.from_input({})
        self.addresses = pulumi.Output.all(**addresses) if addresses else none
        self.register_outputs({})
