"""A model, served: all the Kubernetes objects of one entry of the catalogue."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.apps import v1 as apps
from pulumi_kubernetes.autoscaling import v2 as autoscaling
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.policy import v1 as policy

from gkeplatform.labels import Labels
from gkeplatform.naming import Naming
from infra.serving import disruption, exposure, pod
from infra.serving.autoscaling import autoscaler
from infra.serving.catalogue import neg_name
from infra.serving.config import ServingConfig, namespace_of, running
from infra.serving.database import Connection
from infra.serving.entrances import Entrances
from infra.serving.files import SharedCache, claim, volume
from infra.serving.ingress import address
from infra.serving.manifest import Manifest
from infra.serving.model import LoadBalancer, Model, files
from infra.serving.model_route import route
from infra.serving.namespace import ModelsNamespace
from infra.serving.placement import Placement
from infra.serving.postgres import connection
from infra.serving.rollout import rolling_update


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where a model server stands: namespace, nodes, entrances, and its database if it has one."""

    home: ModelsNamespace
    placement: Placement
    entrances: Entrances
    connection: Connection | None


class ModelServer(pulumi.ComponentResource):
    """Deployment, Service, disruption budget and, where replicas vary, autoscaler of one model."""

    deployment: apps.Deployment
    service: core.Service
    address: pulumi.Output[str] | None
    """Where the model is reached: its own load balancer, or the entrance that routes to it."""

    def __init__(
        self,
        name: str,
        args: Model,
        *,
        site: Site,
        naming: Naming,
        labels: Labels,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("gkeplatform:serving:ModelServer", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        bear = labels.kubernetes(name=args.name, component="model-server")
        metadata: Manifest = {"name": args.name, "namespace": site.home.name, "labels": bear}
        how = files(args)
        if isinstance(how, SharedCache):
            # It is bound when the first replica comes, which comes after it.
            unawaited = {"pulumi.com/skipAwait": "true"}
            claimed: Manifest = {**metadata, "name": claim(args.name), "annotations": unawaited}
            core.PersistentVolumeClaim(name, metadata=claimed, spec=volume(how), opts=child)
        self.deployment = apps.Deployment(
            name,
            metadata=metadata,
            spec=deployment(
                args,
                site.placement,
                labels=bear,
                account=site.home.account,
                connection=site.connection,
            ),
            opts=child,
        )
        asked = exposure.annotations(args, neg=neg_name(args, naming))
        annotated: Manifest = {**metadata, "annotations": asked}
        self.service = core.Service(
            name, metadata=annotated, spec=exposure.service(args), opts=child
        )
        policy.PodDisruptionBudget(
            name, metadata=metadata, spec=disruption.budget(args), opts=child
        )
        if args.autoscaling:
            autoscaling.HorizontalPodAutoscaler(
                name,
                metadata=metadata,
                spec=autoscaler(args, args.autoscaling, namespace=site.home.name),
                opts=child,
            )
        self.address = (
            self.service.status.load_balancer.ingress.apply(address)
            if isinstance(args.exposure, LoadBalancer)
            else route(
                name,
                args,
                site.entrances,
                metadata=metadata,
                opts=pulumi.ResourceOptions(parent=self, depends_on=[self.service]),
            )
        )
        self.register_outputs({"address": self.address})


class ModelServers(pulumi.ComponentResource):
    """The catalogue, served."""

    addresses: pulumi.Output[dict[str, str]]
    """By model, the addresses of those that are reached by one that this layer knows."""

    def __init__(
        self,
        name: str,
        args: ServingConfig,
        *,
        homes: Mapping[str, ModelsNamespace],
        placements: Mapping[str, Placement],
        entrances: Entrances,
        naming: Naming,
        labels: Labels,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("gkeplatform:serving:ModelServers", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        servers = {
            model.name: ModelServer(
                model.name,
                model,
                site=Site(
                    home=homes[namespace_of(model, args)],
                    placement=placements[model.name],
                    entrances=entrances,
                    connection=connection(model, args),
                ),
                naming=naming,
                labels=labels,
                opts=child,
            )
            for _, model in running(args)
        }
        addresses = {key: server.address for key, server in servers.items() if server.address}
        # Output.all() of nothing is a list.
        none: pulumi.Output[dict[str, str]] = pulumi.Output.from_input({})
        self.addresses = pulumi.Output.all(**addresses) if addresses else none
        self.register_outputs({})


def deployment(
    model: Model,
    placement: Placement,
    *,
    labels: dict[str, str],
    account: str,
    connection: Connection | None = None,
) -> Manifest:
    """The spec of the Deployment. It states no replicas where an autoscaler rules them."""
    return {
        **({} if model.autoscaling else {"replicas": model.replicas.min}),
        "selector": {"matchLabels": pod.selector(model)},
        "strategy": {
            "type": "RollingUpdate",
            "rollingUpdate": rolling_update(placement.turnover),
        },
        "template": pod.template(
            model,
            labels=labels,
            account=account,
            tolerations=placement.tolerations,
            connection=connection,
        ),
    }
