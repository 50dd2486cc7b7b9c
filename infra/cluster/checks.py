"""What the configuration alone cannot tell: whether it fits the environment that it is for."""

from gkeplatform.errors import PlatformError
from gkeplatform.naming import Naming
from infra.cluster.config import ClusterConfig
from infra.cluster.identity import account_id


def fits(config: ClusterConfig, naming: Naming) -> None:
    """Refuses zones outside the environment's region and pools whose names grow too long."""
    region = naming.environment.region
    for index, zone in enumerate(config.cluster.zones):
        if zone.rpartition("-")[0] != region:
            raise PlatformError(
                f"gke-cluster:cluster.zones[{index}]: {zone} is not in gcp:region {region}; the "
                "zones of a regional cluster are in its region"
            )
    for index, pool in enumerate(config.node_pools):
        try:
            account_id(pool.name, naming)
        except PlatformError as error:
            raise PlatformError(f"gke-cluster:node_pools[{index}].name: {error}") from None
