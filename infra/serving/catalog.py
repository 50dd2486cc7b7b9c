"""Checks of the catalog against the cluster, and where its models go.

Pure functions over the configuration and the cluster's contract.
"""

from collections.abc import Sequence

from gkeplatform.config import suggestion
from gkeplatform.contracts import ClusterContract, NodePool
from gkeplatform.errors import PlatformError
from gkeplatform.naming import Naming
from infra.serving import picker_metrics
from infra.serving.accelerators import GPU_RESOURCE, TPU_RESOURCE
from infra.serving.config import ServingConfig
from infra.serving.models import Model, Workload
from infra.serving.placement import Placement, classes
from infra.serving.placement import placements as pool_placements
from infra.serving.postgres import fit as postgres_fit
from infra.serving.scaling.settings import PodMetric
from infra.serving.scaling.validation import starts_by_metrics
from infra.serving.tenancy import quota
from infra.serving.tenancy.bucket import models_bucket


def placed(config: ServingConfig, cluster: ClusterContract, naming: Naming) -> dict[str, Placement]:
    """The placement of each workload, by name; `PlatformError` if the cluster cannot serve it."""
    readable = {models_bucket(naming), *config.shared_buckets}
    for workload in config.workloads:
        _check_node_pool(workload, cluster)
        _check_bucket(workload, readable)
        _check_imports(workload, naming)
        _check_metrics(workload, cluster)
        if naming.environment.pin_images:
            check_pinned(f"{workload.key}.image", workload.image)
        naming.of(workload.name)
    classes.check(config.workloads, _by_key(config), cluster)
    postgres_fit.check(config.clusters, cluster.node_pools)
    return placements(config, cluster.all_nodes)


def _by_key(config: ServingConfig) -> dict[str, Model]:
    """The entries, and their canaries, by the key of their workloads."""
    found = {}
    for entry, model in zip(config.entries, config.models, strict=True):
        found[entry.key] = model
        if entry.canary and model.canary_version:
            found[entry.canary.key] = model.canary_version
    return found


def placements(config: ServingConfig, pools: Sequence[NodePool]) -> dict[str, Placement]:
    """The placement of each workload; `PlatformError` if pools or quotas cannot hold it."""
    quotas = {
        (team.name, resource): count
        for team in config.teams
        for resource, count in (
            (GPU_RESOURCE, team.quota.gpus),
            (TPU_RESOURCE, team.quota.tpus),
        )
    }
    found = pool_placements(config.workloads, pools, quotas=quotas)
    surges = {name: placement.rolling_update.surge for name, placement in found.items()}
    quota.check(config.teams, config.workloads, surges)
    return found


def check_pinned(key: str, image: str) -> None:
    """`PlatformError` for an image whose tag has no digit, so that it may move to another image."""
    tag = image.rpartition("/")[2].rpartition(":")[2]
    if "@" not in image and not any(character.isdigit() for character in tag):
        raise PlatformError(
            f'{key}: {image} has the tag "{tag}", which may move: two pods could run different '
            "images; use a version, as 2.19.1, or a digest, as @sha256:…"
        )


def _check_node_pool(workload: Workload, cluster: ClusterContract) -> None:
    pools = [pool.name for pool in cluster.node_pools]
    if workload.node_pool is not None and workload.node_pool not in pools:
        raise PlatformError(
            f'{workload.key}.node_pool: cluster {cluster.name} has no pool "{workload.node_pool}"; '
            f"{suggestion(workload.node_pool, pools)}"
        )


def _check_bucket(workload: Workload, readable: set[str]) -> None:
    sources = {"source": workload.source or ""}
    for index, adapter in enumerate(workload.adapters.loaded if workload.adapters else ()):
        sources[f"adapters[{index}].source"] = adapter.source
    for key, source in sources.items():
        _check_readable(f"{workload.key}.{key}", source, readable)


def _check_readable(key: str, source: str, readable: set[str]) -> None:
    bucket = source.removeprefix("gs://").partition("/")[0]
    if bucket and bucket not in readable:
        raise PlatformError(
            f'{key}: the models may not read bucket "{bucket}"; '
            f"{suggestion(bucket, readable)}; add others to gke-serving:shared_buckets"
        )


def _check_imports(workload: Workload, naming: Naming) -> None:
    """Refuses an import into another bucket, and a tag where images are pinned."""
    own = models_bucket(naming)
    for one in workload.imports:
        if one.bucket != own:
            raise PlatformError(
                f'{one.key}: imports are written to the environment\'s own bucket "{own}", and '
                f'source is in "{one.bucket}"; set source to gs://{own}/…'
            )
        if naming.environment.pin_images and not one.is_pinned:
            raise PlatformError(
                f'{one.key}.revision: "{one.revision}" is a tag, which may move; name the commit, '
                "40 hexadecimal digits, which the hub shows under Files and versions"
            )


def _check_metrics(workload: Workload, cluster: ClusterContract) -> None:
    scaling = workload.autoscaling
    metrics = scaling.metrics if scaling else ()
    needed = any(isinstance(one, PodMetric) for one in metrics) or (
        picker_metrics.starts(workload) and not starts_by_metrics(scaling)
    )
    if needed and not cluster.managed_prometheus:
        raise PlatformError(
            f"{workload.key}.autoscaling.metrics: cluster {cluster.name} does not collect gauges "
            "of pods, so the model would never scale; set "
            "gke-cluster:cluster.managed_prometheus: true"
        )
