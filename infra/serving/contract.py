"""What the layer publishes of each model."""

from typing import Any

from gkeplatform.contracts import ClusterContract, ServedModel, TokenMetrics
from infra.serving import changed_kinds, changed_ports
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
            **_front_end(entry, addresses.get(entry.name, "")),
            route=entry.exposure.route(entry, zones=cluster.zones, names=names),
            tokens=_token_metrics(entry, cluster),
            ports=changed_ports.numbers(entry),
            kinds=changed_kinds.kinds(entry),
        )
        for entry in config.entries
    ]


def _front_end(entry: Workload, address: str) -> dict[str, Any]:
    """The address and hosts of a front end that the networking layer does not know."""
    if not entry.exposure.needs_inference_gateway:
        return {}
    return {"address": address, "hosts": entry.exposure.hosts}


def _token_metrics(entry: Workload, cluster: ClusterContract) -> TokenMetrics | None:
    server = entry.preset.language_metrics
    if server is None or not cluster.managed_prometheus:
        return None
    return TokenMetrics(
        server=server,
        jobs=(entry.name, *([entry.canary.name] if entry.canary else [])),
        gpus=entry.gpus,
        pools=tuple(pool.name for pool in fitting(entry, cluster.all_nodes)),
        hosts=entry.hosts,
        max_loras=entry.adapters.lora.max_loras if entry.adapters else 0,
    )
