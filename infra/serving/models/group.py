"""The spec of a LeaderWorkerSet: the pods of a model on several hosts, which live and end together.

A group is a replica: a leader, which answers callers, and a worker on each other host. Built for
LeaderWorkerSet v1 of LWS 0.9 (https://lws.sigs.k8s.io) and vLLM 0.33. GPUs: vLLM's own processes,
which find each other at the leader's address. TPUs: Ray, which is what vLLM for TPUs offers:
https://docs.vllm.ai/projects/tpu/en/latest/.
"""

import shlex
from collections.abc import Sequence
from copy import deepcopy

from gkeplatform.leader_worker_sets import EXCLUSIVE, GROUP_LABEL, NAME_LABEL
from infra.serving.manifest import Manifest
from infra.serving.models import pod
from infra.serving.models.rollout import RollingUpdate
from infra.serving.models.workload import Workload

WORKER = "model-worker"
"""Component of the pods that only their leader calls."""
COMPONENT_LABEL = "app.kubernetes.io/component"
MASTER_PORT = 29501
"""Where the leader's process group listens: vLLM's default."""
RAY_PORT = 6379
_ZONE, _HOST = "topology.kubernetes.io/zone", "kubernetes.io/hostname"
_POOL = "cloud.google.com/gke-nodepool"
_LEADER = "$(LWS_LEADER_ADDRESS)"
_INDEX = "$(LWS_WORKER_INDEX)"
_WORKERS_LAST = 5
"""Seconds for which a worker outlives its leader, whose last answers need it."""


def selector(workload: Workload) -> dict[str, str]:
    """Labels that select all pods of a model on several hosts."""
    return {NAME_LABEL: workload.name}


def annotations(workload: Workload) -> dict[str, str]:
    """Annotations of the LeaderWorkerSet.

    The chips of a slice are linked, and GKE makes each slice a node pool of its own: a group has
    one to itself.
    """
    return {EXCLUSIVE: _POOL} if workload.resources.tpu else {}


def leader_worker_set(
    workload: Workload,
    *,
    rolling_update: RollingUpdate,
    tolerations: Sequence[Manifest] = (),
    labels: dict[str, str],
    account: str,
    close: Sequence[str] = (),
) -> Manifest:
    """The spec. It leaves out the number of groups if an autoscaler sets it.

    `close`: node pools with compact placement, in one of which each group is to be.
    """
    # LWS sets these labels too; stated, they tell the policy pack which pods a selector means.
    own = {**labels, **selector(workload)}
    template = pod.template(workload, labels=own, account=account, tolerations=tolerations)
    _keep_together(workload, template, close)
    return {
        **({} if workload.autoscaling else {"replicas": workload.replicas.min}),
        "leaderWorkerTemplate": {
            "size": workload.hosts,
            # All or nothing: a server whose worker was lost answers nothing.
            "restartPolicy": "RecreateGroupOnPodRestart",
            "leaderTemplate": _leader(workload, template),
            "workerTemplate": _worker(workload, template),
        },
        "rolloutStrategy": {
            "type": "RollingUpdate",
            "rollingUpdateConfiguration": {**rolling_update.spec(), "partition": 0},
        },
        "startupPolicy": "LeaderCreated",
        # A headless Service of each group. A shared one would have the name of the model's Service.
        "networkConfig": {"subdomainPolicy": "UniquePerReplica"},
    }


def _keep_together(workload: Workload, template: Manifest, close: Sequence[str]) -> None:
    """Put the pods of a group into one zone, or one pool of `close`, each on a node of its own."""
    spec = template["spec"]
    own: Manifest = {
        "labelSelector": {"matchLabels": selector(workload)},
        "matchLabelKeys": [GROUP_LABEL],
    }
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    spec["affinity"] = {
        **spec.get("affinity", {}),
        "podAffinity": {required: [{**own, "topologyKey": _POOL if close else _ZONE}]},
        "podAntiAffinity": {required: [{**own, "topologyKey": _HOST}]},
    }
    if close:
        nodes = deepcopy(spec["affinity"].get("nodeAffinity") or {})
        terms = nodes.setdefault(required, {}).setdefault("nodeSelectorTerms", [{}])
        named = {"key": _POOL, "operator": "In", "values": list(close)}
        for term in terms:  # one of them must hold
            term["matchExpressions"] = [*term.get("matchExpressions", []), named]
        spec["affinity"]["nodeAffinity"] = nodes


def _leader(workload: Workload, template: Manifest) -> Manifest:
    leader = deepcopy(template)
    container = _server(leader)
    if workload.resources.tpu:
        words = [
            *container["command"],
            *container.pop("args"),
            "--distributed-executor-backend=ray",
        ]
        script = f"ray start --head --port={RAY_PORT} && exec {shlex.join(words)}"
        container["command"] = ["sh", "-c", script]
    else:
        container["args"] = [*container["args"], *_ranks(workload, "0")]
    return leader


def _worker(workload: Workload, template: Manifest) -> Manifest:
    """The leader's template without what is for callers: ports, probes and spread.

    It has no probes: only the leader has an API. A process that ends restarts its group.
    """
    worker = deepcopy(template)
    metadata, spec, container = worker["metadata"], worker["spec"], _server(worker)
    metadata["labels"] = {
        key: value for key, value in metadata["labels"].items() if key != pod.OPEN
    } | {COMPONENT_LABEL: WORKER}
    # The zone is the leader's.
    spec.pop("topologySpreadConstraints", None)
    for key in ("ports", "startupProbe", "readinessProbe", "livenessProbe"):
        container.pop(key, None)
    # It works until the leader has answered what it took: for its drain, and its shutdown.
    container["lifecycle"] = {"preStop": {"sleep": {"seconds": workload.grace_seconds}}}
    spec["terminationGracePeriodSeconds"] = workload.grace_seconds + _WORKERS_LAST
    if workload.resources.tpu:
        container["command"] = [
            "sh",
            "-c",
            f'until ray start --address="$LWS_LEADER_ADDRESS:{RAY_PORT}" --block; do sleep 5; done',
        ]
        container.pop("args", None)
    else:
        container["args"] = [*container["args"], *_ranks(workload, _INDEX), "--headless"]
    return worker


def _server(template: Manifest) -> Manifest:
    """The server's container, with the address by which the others reach it."""
    container: Manifest = template["spec"]["containers"][0]
    address = {"name": "VLLM_HOST_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
    container["env"] = [*container.get("env", []), address]
    return container


def _ranks(workload: Workload, rank: str) -> list[str]:
    """Flags of vLLM's own processes on several hosts."""
    return [
        "--distributed-executor-backend=mp",
        f"--nnodes={workload.hosts}",
        f"--node-rank={rank}",
        f"--master-addr={_LEADER}",
        f"--master-port={MASTER_PORT}",
    ]
