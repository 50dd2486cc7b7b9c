"""The spec of a model's Deployment."""

from collections.abc import Sequence

from infra.serving.manifest import Manifest
from infra.serving.models import pod
from infra.serving.models.container import SETTLED
from infra.serving.models.rollout import RollingUpdate, progress_deadline
from infra.serving.models.workload import Workload


def deployment(
    workload: Workload,
    *,
    rolling_update: RollingUpdate,
    tolerations: Sequence[Manifest] = (),
    labels: dict[str, str],
    account: str,
) -> Manifest:
    """The spec. It leaves out the number of replicas if an autoscaler sets it."""
    return {
        **({} if workload.autoscaling else {"replicas": workload.replicas.min}),
        "selector": {"matchLabels": workload.selector},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": rolling_update.spec()},
        **({"minReadySeconds": SETTLED} if workload.exposure.needs_inference_gateway else {}),
        "progressDeadlineSeconds": progress_deadline(workload),
        "template": pod.template(workload, labels=labels, account=account, tolerations=tolerations),
    }
