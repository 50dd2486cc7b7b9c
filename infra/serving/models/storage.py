"""Ephemeral storage of a model's pod: what its containers request and may use on the node's disk.

The kubelet evicts a pod that uses more than the sum of its containers' limits, and counts volumes
of kind emptyDir, logs and writable layers:
https://kubernetes.io/docs/concepts/storage/ephemeral-storage/
"""

from infra.serving.models.files import Download, GcsFuse
from infra.serving.models.workload import Workload
from infra.serving.quantity import amount

LOGS = 256 * 2**20
"""Bytes for logs: the kubelet keeps five files of 10 MiB of each container."""


def of_server(workload: Workload) -> int:
    """Bytes that the server's container requests: /tmp, downloaded files and logs."""
    files = workload.files
    size = LOGS + int(amount(workload.temporary_storage))
    return size + int(amount(files.size)) if isinstance(files, Download) else size


def of_pod(workload: Workload) -> int:
    """Bytes that the pod requests, the sidecar of Cloud Storage FUSE included."""
    files = workload.files
    sidecar = files.sidecar_resources["ephemeral-storage"] if isinstance(files, GcsFuse) else "0"
    return of_server(workload) + int(amount(sidecar))
