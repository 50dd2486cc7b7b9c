"""The catalog's entries and the pods that serve them.

`model.py` is an entry as a stack file has it; `workload.py` is what an entry, or its canary,
expands to: plain values with all defaults filled in. The other modules build manifests from a
workload. Presets of model servers are data in `presets/`.

How a model is reached belongs to `exposures`, its replicas to `scaling`, and whether the cluster
can hold it to `placement`. Rules across entries are in `infra/serving/config.py`.
"""

from infra.serving.models.model import Model
from infra.serving.models.workload import Workload, expanded

__all__ = ["Model", "Workload", "expanded"]
