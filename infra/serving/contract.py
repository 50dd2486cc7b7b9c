"""What the layer publishes of each model."""

from gkeplatform.contracts import ClusterContract, ServedModel
from gkeplatform.naming import Naming
from infra.serving.config import ServingConfig


def served(
    config: ServingConfig,
    addresses: dict[str, str],
    *,
    cluster: ClusterContract,
    naming: Naming,
) -> list[ServedModel]:
    """The models as they are served. `addresses` are those that this layer knows, by model."""
    return [
        ServedModel(
            name=entry.name,
            namespace=entry.namespace,
            path=entry.path,
            exposure=entry.exposure.kind,
            url=entry.exposure.url(entry, addresses.get(entry.name), config.routes),
            route=entry.exposure.route(entry, zones=cluster.zones, naming=naming),
        )
        for entry in config.entries
    ]
