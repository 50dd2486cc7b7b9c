"""What the layer publishes of each model."""

from gkeplatform.contracts import ClusterContract, ServedModel, TokenMetrics
from infra.serving import changed_ports
from infra.serving.config import ServingConfig
from infra.serving.exposures.endpoint_groups import GroupNames
from infra.serving.models import Workload
from infra.serving.placement import fitting


def served(
    config: ServingConfig,
    addresses: dict[str, str],
    *,
    cluster: ClusterContract,
    names: GroupNames,
) -> list[ServedModel]:
    """The models as they are served. `addresses` are those that this layer knows, by model."""
    return [
        ServedModel(
            name=entry.name,
            namespace=entry.namespace,
            path=entry.path,
            exposure=entry.exposure.kind,
            url=entry.exposure.url(entry, addresses.get(entry.name), config.routes),
            address=addresses.get(entry.name, "") if entry.exposure.needs_inference_gateway else "",
            route=entry.exposure.route(entry, zones=cluster.zones, names=names),
            tokens=_token_metrics(entry, cluster),
            ports=changed_ports.numbers(entry),
        )
        for entry in config.entries
    ]


def _token_metrics(entry: Workload, cluster: ClusterContract) -> TokenMetrics | None:
    server = entry.preset.language_metrics
    if server is None or not cluster.managed_prometheus:
        return None
    gpu = entry.resources.gpu
    return TokenMetrics(
        server=server,
        jobs=(entry.name, *([entry.canary.name] if entry.canary else [])),
        gpus=gpu.count if gpu else 0,
        pools=tuple(pool.name for pool in fitting(entry, cluster.node_pools)),
    )
