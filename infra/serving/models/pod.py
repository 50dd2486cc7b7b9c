"""The pod template of a model: security, volumes, spread and nodes."""

from collections.abc import Sequence

from infra.serving.manifest import Manifest
from infra.serving.models import additions, container
from infra.serving.models.files import supply
from infra.serving.models.workload import Workload

USER = 65534
"""User and group `nobody`."""
SETTLE_SECONDS = 30
"""Time for requests in flight after draining, before the pod is killed."""
OPEN = "platform/open"
"""Label of pods that callers reach by an address or node port of the model's own."""

_WHEN_UNSATISFIABLE = {"required": "DoNotSchedule", "preferred": "ScheduleAnyway"}


def template(
    workload: Workload,
    *,
    labels: dict[str, str],
    account: str,
    tolerations: Sequence[Manifest] = (),
) -> Manifest:
    """The pod template. `account` is the Kubernetes service account."""
    supplied = supply(workload.name, workload.source, workload.files, serves=workload.served_name)
    spec: Manifest = {
        "serviceAccountName": account,
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": workload.drain_seconds + SETTLE_SECONDS,
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
            {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}},
            *container.shared_memory(workload),
            *supplied.volumes,
            *additions.volumes(workload.pod),
        ],
    }
    optional = {
        "topologySpreadConstraints": spread_constraints(workload),
        "initContainers": [*supplied.init, *additions.init_containers(workload.pod)],
        "imagePullSecrets": additions.pull_secrets(workload.pod),
        "priorityClassName": workload.priority,
        "nodeSelector": node_selector(workload),
        "tolerations": list(tolerations),
    }
    annotations = {**workload.pod.annotations, **supplied.annotations}
    opened = {OPEN: "true"} if workload.exposure.is_open else {}
    return {
        "metadata": {
            "labels": {**workload.pod.labels, **labels, **workload.selector, **opened},
            **({"annotations": annotations} if annotations else {}),
        },
        "spec": {**spec, **{key: value for key, value in optional.items() if value}},
    }


def node_selector(workload: Workload) -> dict[str, str]:
    """Labels that the nodes must have."""
    gpu = workload.resources.gpu
    return {
        **({"cloud.google.com/gke-nodepool": workload.node_pool} if workload.node_pool else {}),
        **({"cloud.google.com/gke-accelerator": gpu.type} if gpu else {}),
    }


def spread_constraints(workload: Workload) -> list[Manifest]:
    """Topology spread constraints over zones and nodes."""
    common = {
        "maxSkew": workload.spread.max_skew,
        "labelSelector": {"matchLabels": workload.selector},
        # Spread each revision separately; the old one's pods would skew the new one's.
        "matchLabelKeys": ["pod-template-hash"],
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
