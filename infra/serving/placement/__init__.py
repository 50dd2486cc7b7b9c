"""What the cluster's node pools can hold: which pools fit a model, and how it can roll out.

Pure functions over workloads and the node pools that the cluster layer publishes. A model that no
node could ever take is refused before anything is touched. Teams' quotas are in `tenancy`, Postgres
instances in `postgres/fit.py`.
"""

from infra.serving.placement.fit import fitting
from infra.serving.placement.placements import Placement, placements

__all__ = ["Placement", "fitting", "placements"]
