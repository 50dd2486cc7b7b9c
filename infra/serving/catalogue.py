"""What follows from the catalogue before any object exists: names, places, and what may not be.

Pure functions over the configuration and the cluster's contract.
"""

from msgspec.structs import asdict

from gkeplatform.config import suggestion
from gkeplatform.contracts import (
    CanaryRoute,
    ClusterContract,
    InstanceGroupBackend,
    NegBackend,
    Route,
    RouteRetries,
    ServedModel,
)
from gkeplatform.errors import PlatformError
from gkeplatform.naming import Naming
from infra.serving import postgres_fit
from infra.serving.config import ServingConfig, namespace_of, running
from infra.serving.http_routes import Gateway, Ingress
from infra.serving.ingress import PENDING
from infra.serving.model import (
    HttpLoadBalancer,
    LoadBalancer,
    Model,
    canary_of,
    claimed,
    model_path,
    preset,
    ready_path,
)
from infra.serving.placement import Placement, placements
from infra.serving.traffic import rewritten

HTTP = 80
"""The port of a model's own load balancer."""


def placed(config: ServingConfig, cluster: ClusterContract, naming: Naming) -> dict[str, Placement]:
    """Where each model goes; `PlatformError` for what the environment cannot give."""
    pools = [pool.name for pool in cluster.node_pools]
    readable = {models_bucket(naming), *config.shared_buckets}
    for key, model in running(config):
        if model.node_pool is not None and model.node_pool not in pools:
            raise PlatformError(
                f'{key}.node_pool: cluster {cluster.name} has no pool "{model.node_pool}"; '
                f"{suggestion(model.node_pool, pools)}"
            )
        bucket = (model.source or "").removeprefix("gs://").partition("/")[0]
        if model.source and bucket not in readable:
            raise PlatformError(
                f'{key}.source: the models may not read bucket "{bucket}"; '
                f"{suggestion(bucket, readable)}; add others to gke-serving:shared_buckets"
            )
        if model.image and naming.environment.pin_images:
            refuse_moving(f"{key}.image", model.image, naming.environment.name)
        neg_name(model, naming)
    postgres_fit.check(config, cluster.node_pools)
    return placements(config, cluster.node_pools)


def refuse_moving(key: str, image: str, environment: str) -> None:
    """Refuses an image whose tag says nothing of its version and so may be another tomorrow."""
    tag = image.rpartition("/")[2].rpartition(":")[2]
    if "@" not in image and not any(character.isdigit() for character in tag):
        raise PlatformError(
            f'{key}: {image} names the tag "{tag}", which moves: two pods of {environment} could '
            "run different programs; name a version, as 2.19.1, or a digest, as @sha256:…"
        )


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
            namespace=namespace_of(model, config),
            path=model_path(model),
            exposure=str(model.exposure.__struct_config__.tag),
            url=url(
                model,
                addresses.get(model.name),
                namespace=namespace_of(model, config),
                is_encrypted=has_certificate(model, config),
            ),
            route=route(model, cluster=cluster, naming=naming),
        )
        for model in config.models
    ]


def url(
    model: Model, address: str | None, *, namespace: str, is_encrypted: bool = False
) -> str | None:
    """Where the model answers; None where only the load balancer's layer can tell."""
    if isinstance(model.exposure, HttpLoadBalancer):
        return None
    if isinstance(model.exposure, Ingress | Gateway):
        return routed_url(model, model.exposure, address, is_encrypted=is_encrypted)
    inside = f"{model.name}.{namespace}.svc:{preset(model).rest_port}"
    host = address if isinstance(model.exposure, LoadBalancer) else inside
    return f"http://{host}{model_path(model)}"


def routed_url(
    model: Model, exposure: Ingress | Gateway, address: str | None, *, is_encrypted: bool
) -> str:
    """Where the cluster's own route answers; `PENDING` while nobody has given it an address."""
    if not address:
        return PENDING
    scheme = "https" if is_encrypted else "http"
    return f"{scheme}://{(*exposure.hosts, address)[0]}{exposure.path}{model_path(model)}"


def has_certificate(model: Model, config: ServingConfig) -> bool:
    """Whether the model's route, where it has one, speaks HTTPS."""
    match model.exposure:
        case Ingress():
            return bool(config.ingress and config.ingress.tls_secret)
        case Gateway():
            return bool(config.gateway.certificate_map)
        case _:
            return False


def route(model: Model, *, cluster: ClusterContract, naming: Naming) -> Route | None:
    """What the HTTP load balancer has to know of the model; None where it is not exposed there."""
    exposure = model.exposure
    if not isinstance(exposure, HttpLoadBalancer):
        return None
    retries = exposure.retries
    return Route(
        hosts=exposure.hosts,
        paths=claimed(model),
        rewrites=rewritten(claimed(model), exposure.rewrites),
        retries=RouteRetries(**asdict(retries)) if retries else None,
        timeout_seconds=exposure.timeout_seconds,
        members=exposure.iap.members if exposure.iap else (),
        probe_path=ready_path(model),
        backend=backend(model, exposure, cluster=cluster, naming=naming),
        canary=canary_route(model, cluster=cluster, naming=naming),
    )


def canary_route(model: Model, *, cluster: ClusterContract, naming: Naming) -> CanaryRoute | None:
    """What the load balancer has to know of the model's second version, where there is one."""
    canary = canary_of(model)
    if model.canary is None or canary is None or not isinstance(canary.exposure, HttpLoadBalancer):
        return None
    return CanaryRoute(
        name=canary.name,
        weight=model.canary.weights.canary,
        mirror=model.canary.mirror,
        backend=backend(canary, canary.exposure, cluster=cluster, naming=naming),
    )


def backend(
    model: Model, exposure: HttpLoadBalancer, *, cluster: ClusterContract, naming: Naming
) -> NegBackend | InstanceGroupBackend:
    """What stands behind the model's backend service."""
    if exposure.node_port is not None:
        return InstanceGroupBackend(node_port=exposure.node_port)
    return NegBackend(
        name=neg_name(model, naming), zones=cluster.zones, port=preset(model).rest_port
    )
