"""What the layer publishes of each model."""

from gkeplatform.contracts import ClusterContract, ServedModel
from infra.serving.config import ServingConfig
from infra.serving.exposures.endpoint_groups import GroupNames


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
            route=entry.exposure.route(entry, zones=cluster.zones, names=names),
        )
        for entry in config.entries
    ]
