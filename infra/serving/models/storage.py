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
    """Bytes that the server's container requests: logs and the pod's folders on the disk.

    Those are /tmp, downloaded files, adapters, writable folders and volumes of kind `empty_dir`,
    also where another container mounts them: the kubelet counts them for the pod as a whole.
    """
    files = workload.files
    folders = [
        workload.temporary_storage,
        *([files.size] if isinstance(files, Download) else []),
        *([workload.adapters.lora.size] if workload.adapters else []),
        *workload.pod.writable.values(),
        *(one.empty_dir for one in workload.pod.volumes if one.empty_dir is not None),
    ]
    return LOGS + sum(int(amount(size)) for size in folders)


def of_sidecar(workload: Workload) -> int:
    """Bytes that the sidecar of Cloud Storage FUSE requests."""
    files = workload.files
    sidecar = files.sidecar_resources["ephemeral-storage"] if isinstance(files, GcsFuse) else "0"
    return int(amount(sidecar))
