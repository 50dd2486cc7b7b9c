"""The pod template of a model: security, volumes, spread and nodes."""

from collections.abc import Sequence

from gkeplatform.contracts import COMPUTE_CLASS
from infra.serving.manifest import Manifest
from infra.serving.models import adapter_sidecar, additions, container, gpu_start
from infra.serving.models.files import supply
from infra.serving.models.workload import Workload

USER = 65534
"""User and group `nobody`."""
OPEN = "platform/open"
"""Label of pods that callers reach by an address or node port of the model's own."""
OPEN_REST, OPEN_GRPC = "true", "grpc"
"""Values of the label: which port is open."""

_WHEN_UNSATISFIABLE = {"required": "DoNotSchedule", "preferred": "ScheduleAnyway"}


def template(
    workload: Workload,
    *,
    labels: dict[str, str],
    account: str,
    tolerations: Sequence[Manifest] = (),
) -> Manifest:
    """The pod template. `account` is the Kubernetes service account."""
    supplied = supply(workload.name, workload.source, workload.files, serves=workload.folder_name)
    spec: Manifest = {
        "serviceAccountName": account,
        "automountServiceAccountToken": False,
        # Their variables collide with servers' own: a Service `vllm` sets VLLM_PORT to a URL.
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": workload.grace_seconds,
        "securityContext": {
            "runAsNonRoot": True,
            **additions.identity(workload.pod, default=USER),
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            container.container(workload, supplied),
            *additions.containers(workload.pod, drain_seconds=workload.drain_seconds),
        ],
        "volumes": [
            {"name": "tmp", "emptyDir": {"sizeLimit": workload.temporary_storage}},
            *container.shared_memory(workload),
            *supplied.volumes,
            *adapter_sidecar.volumes(workload),
            *gpu_start.volumes(workload),
            *additions.volumes(workload.pod),
        ],
    }
    gpu = workload.resources.gpu
    optional = {
        "topologySpreadConstraints": spread_constraints(workload),
        "initContainers": [
            *supplied.init,
            *adapter_sidecar.containers(workload),
            *additions.init_containers(workload.pod),
        ],
        "imagePullSecrets": additions.pull_secrets(workload.pod),
        "priorityClassName": workload.priority,
        "nodeSelector": node_selector(workload),
        "affinity": {} if gpu is None or _any_gpu(workload) else gpu.affinity,
        "tolerations": list(tolerations),
    }
    label = OPEN_GRPC if workload.exposure.protocol == "grpc" else OPEN_REST
    opened = {OPEN: label} if workload.exposure.is_open else {}
    annotations = {**workload.pod.annotations, **supplied.annotations}
    return {
        "metadata": {
            "labels": {**workload.pod.labels, **labels, **workload.selector, **opened},
            **({"annotations": annotations} if annotations else {}),
        },
        "spec": {**spec, **{key: value for key, value in optional.items() if value}},
    }


def node_selector(workload: Workload) -> dict[str, str]:
    """Labels that the nodes must have."""
    accelerator = workload.resources.gpu or workload.resources.tpu
    return {
        **({"cloud.google.com/gke-nodepool": workload.node_pool} if workload.node_pool else {}),
        **({COMPUTE_CLASS: workload.compute_class} if workload.compute_class else {}),
        **(accelerator.selector if accelerator and not _any_gpu(workload) else {}),
    }


def _any_gpu(workload: Workload) -> bool:
    """Whether the GPUs are those of a compute class, all of whose pools have been checked.

    Labels of one type of nodes beside the class's would rule out the others.
    """
    return workload.resources.gpu is not None and workload.compute_class is not None


def spread_constraints(workload: Workload) -> list[Manifest]:
    """Topology spread constraints over zones and nodes."""
    has_accelerators = workload.resources.gpu or workload.resources.tpu
    # Spread each revision separately; the old one's pods would skew the new one's. Where nodes
    # are scarce that could stop a rollout: the new revision may need a zone that the old one fills.
    separate = {} if has_accelerators else {"matchLabelKeys": ["pod-template-hash"]}
    common = {
        "maxSkew": workload.spread.max_skew,
        "labelSelector": {"matchLabels": workload.selector},
        **separate,
    }
    keys = {
        "topology.kubernetes.io/zone": workload.spread.zones,
        "kubernetes.io/hostname": workload.spread.nodes,
    }
    return [
        {
            **common,
            "topologyKey": key,
            "whenUnsatisfiable": _WHEN_UNSATISFIABLE[spreading],
            # Do not wait for a zone whose nodes are all cordoned or lost.
            **({"nodeTaintsPolicy": "Honor"} if spreading == "required" else {}),
        }
        for key, spreading in keys.items()
        if spreading != "off"
    ]
