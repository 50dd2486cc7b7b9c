"""What follows from the catalogue before any object exists: names, places, and what may not be.

Pure functions over the configuration and the cluster's contract.
"""

from gkeplatform.config import suggestion
from gkeplatform.contracts import (
    ClusterContract,
    InstanceGroupBackend,
    NegBackend,
    Route,
    ServedModel,
)
from gkeplatform.errors import PlatformError
from gkeplatform.naming import Naming
from infra.serving.config import ServingConfig
from infra.serving.model import HttpLoadBalancer, LoadBalancer, Model, claimed, model_path
from infra.serving.presets import PRESETS

HTTP = 80
"""The port of a model's own load balancer."""


def fits(config: ServingConfig, cluster: ClusterContract, naming: Naming) -> None:
    """Refuses models that name a pool or a bucket that is not there, and names too long."""
    readable = {models_bucket(naming), *config.shared_buckets}
    for index, model in enumerate(config.models):
        key = f"gke-serving:models[{index}]"
        if model.node_pool is not None and model.node_pool not in cluster.node_pools:
            raise PlatformError(
                f'{key}.node_pool: cluster {cluster.name} has no pool "{model.node_pool}"; '
                f"{suggestion(model.node_pool, cluster.node_pools)}"
            )
        bucket = model.source.removeprefix("gs://").partition("/")[0]
        if bucket not in readable:
            raise PlatformError(
                f'{key}.source: the models may not read bucket "{bucket}"; '
                f"{suggestion(bucket, readable)}; add others to gke-serving:shared_buckets"
            )
        neg_name(model, naming)


def models_bucket(naming: Naming) -> str:
    """The name of the environment's own bucket for model files."""
    return naming.of("models")


def neg_name(model: Model, naming: Naming) -> str:
    """The name that GKE gives the model's network endpoint groups, one in each zone."""
    return naming.of(model.name)


def served(
    config: ServingConfig,
    addresses: dict[str, str],
    *,
    cluster: ClusterContract,
    naming: Naming,
) -> list[ServedModel]:
    """What the layer publishes of each model. `addresses` are those of models that have one."""
    return [
        ServedModel(
            name=model.name,
            path=model_path(model),
            exposure=str(model.exposure.__struct_config__.tag),
            url=url(model, addresses.get(model.name), namespace=config.namespace),
            route=route(model, cluster=cluster, naming=naming),
        )
        for model in config.models
    ]


def url(model: Model, address: str | None, *, namespace: str) -> str | None:
    """Where the model answers; None where only the load balancer's layer can tell."""
    if isinstance(model.exposure, HttpLoadBalancer):
        return None
    inside = f"{model.name}.{namespace}.svc:{PRESETS[model.server].rest_port}"
    host = address if isinstance(model.exposure, LoadBalancer) else inside
    return f"http://{host}{model_path(model)}"


def route(model: Model, *, cluster: ClusterContract, naming: Naming) -> Route | None:
    """What the HTTP load balancer has to know of the model; None where it is not exposed there."""
    exposure = model.exposure
    if not isinstance(exposure, HttpLoadBalancer):
        return None
    backend: NegBackend | InstanceGroupBackend
    if exposure.node_port is not None:
        backend = InstanceGroupBackend(node_port=exposure.node_port)
    else:
        backend = NegBackend(
            name=neg_name(model, naming),
            zones=cluster.zones,
            port=PRESETS[model.server].rest_port,
        )
    return Route(
        hosts=exposure.hosts,
        paths=claimed(model),
        probe_path=model_path(model),
        backend=backend,
    )
