"""Labels, taints and accelerators of a node pool's Kubernetes nodes, as GKE sets them.

`provisioner` combines them with the machine's capacity into `sandbox.kubernetes`' NodeSpec.
"""

from __future__ import annotations

from facts.accelerators import partition_count
from facts.machines import MachineType, machine_type
from facts.zones import region_of
from sandbox.gcp.services.container.groups import Group
from sandbox.gcp.services.container.pool_defaults import accelerators
from sandbox.gcp.services.container.pool_taints import GVISOR_KEY, is_gvisor
from sandbox.gcp.services.container.wire_format import Json

_STRATEGIES = {"TIME_SHARING": "time-sharing", "MPS": "mps"}
_EFFECTS = {
    "NO_SCHEDULE": "NoSchedule",
    "PREFER_NO_SCHEDULE": "PreferNoSchedule",
    "NO_EXECUTE": "NoExecute",
}


def labels(pool: Json, *, name: str, zone: str, machine: MachineType) -> dict[str, str]:
    """Return the labels of one node."""
    config: Json = pool["config"]
    result = {
        "beta.kubernetes.io/arch": machine.architecture,
        "beta.kubernetes.io/instance-type": machine.name,
        "beta.kubernetes.io/os": "linux",
        "cloud.google.com/gke-boot-disk": str(config["diskType"]),
        "cloud.google.com/gke-container-runtime": "containerd",
        "cloud.google.com/gke-cpu-scaling-level": str(machine.cpus),
        "cloud.google.com/gke-logging-variant": "DEFAULT",
        "cloud.google.com/gke-max-pods-per-node": pool["maxPodsConstraint"]["maxPodsPerNode"],
        "cloud.google.com/gke-memory-gb-scaling-level": str(round(machine.memory_mib / 1024)),
        "cloud.google.com/gke-nodepool": pool["name"],
        "cloud.google.com/gke-os-distribution": "cos",
        "cloud.google.com/gke-provisioning": provisioning(config),
        "cloud.google.com/gke-stack-type": "IPV4",
        "cloud.google.com/machine-family": machine.family,
        "failure-domain.beta.kubernetes.io/region": region_of(zone),
        "failure-domain.beta.kubernetes.io/zone": zone,
        "kubernetes.io/arch": machine.architecture,
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "node.kubernetes.io/instance-type": machine.name,
        "topology.gke.io/zone": zone,
        "topology.kubernetes.io/region": region_of(zone),
        "topology.kubernetes.io/zone": zone,
    }
    if config.get("spot"):
        result["cloud.google.com/gke-spot"] = "true"
    if config.get("preemptible"):
        result["cloud.google.com/gke-preemptible"] = "true"
    if (config.get("workloadMetadataConfig") or {}).get("mode") == "GKE_METADATA":
        result["iam.gke.io/gke-metadata-server-enabled"] = "true"
    gpus = accelerators(config)
    if gpus is not None:
        result["cloud.google.com/gke-accelerator"] = gpus[0]
        result["cloud.google.com/gke-accelerator-count"] = str(gpus[1])
        result["cloud.google.com/gke-gpu"] = "true"
        result |= _gpu_sharing(config) | _gpu_driver(config)
    if machine.tpus:
        result["cloud.google.com/gke-tpu-accelerator"] = machine.tpu_kind
        result["cloud.google.com/gke-accelerator-count"] = str(machine.tpus)
        topology = (pool.get("placementPolicy") or {}).get("tpuTopology")
        result["cloud.google.com/gke-tpu-topology"] = topology or machine.tpu_topology
    if is_gvisor(config):
        result[GVISOR_KEY] = "gvisor"
    if (pool.get("queuedProvisioning") or {}).get("enabled"):
        result["cloud.google.com/gke-queued"] = "true"
    result |= {label: "true" for label, is_on in _switches(config).items() if is_on}
    return result | {str(k): str(v) for k, v in (config.get("labels") or {}).items()}


def provisioning(config: Json) -> str:
    """How the nodes' capacity is had, as their label says it."""
    for key, model in (("flexStart", "flex-start"), ("spot", "spot")):
        if config.get(key):
            return model
    return "preemptible" if config.get("preemptible") else "standard"


def _gpu_driver(config: Json) -> dict[str, str]:
    """Return the label of the driver version that GKE installs."""
    entry: Json = next(iter(config.get("accelerators") or []), {})
    version = str((entry.get("gpuDriverInstallationConfig") or {}).get("gpuDriverVersion") or "")
    known = version in {"DEFAULT", "LATEST"}
    return {"cloud.google.com/gke-gpu-driver-version": version.lower()} if known else {}


def _gpu_sharing(config: Json) -> dict[str, str]:
    """Return the labels for GPU sharing."""
    entry: Json = next(iter(config.get("accelerators") or []), {})
    sharing = entry.get("gpuSharingConfig") or {}
    named = {
        "cloud.google.com/gke-gpu-partition-size": entry.get("gpuPartitionSize"),
        "cloud.google.com/gke-gpu-sharing-strategy": _STRATEGIES.get(
            sharing.get("gpuSharingStrategy") or ""
        ),
        "cloud.google.com/gke-max-shared-clients-per-gpu": sharing.get("maxSharedClientsPerGpu"),
    }
    return {label: str(value) for label, value in named.items() if value}


def _switches(config: Json) -> dict[str, object]:
    return {
        "cloud.google.com/gke-ephemeral-storage-local-ssd": local_ssds(config),
        "cloud.google.com/gke-flex-start": config.get("flexStart"),
        "cloud.google.com/gke-image-streaming": (config.get("gcfsConfig") or {}).get("enabled"),
    }


def local_ssds(config: Json) -> int:
    """Return the number of local SSDs for ephemeral storage."""
    return int((config.get("ephemeralStorageLocalSsdConfig") or {}).get("localSsdCount") or 0)


def gpus(config: Json) -> int:
    """Return a node's `nvidia.com/gpu` count. Partitions and shared clients count as GPUs."""
    found = accelerators(config)
    if found is None:
        return 0
    entry: Json = next(iter(config.get("accelerators") or []), {})
    size = str(entry.get("gpuPartitionSize") or "")
    partitions = partition_count(found[0], size) if size else None
    sharing = entry.get("gpuSharingConfig") or {}
    return found[1] * (partitions or 1) * int(sharing.get("maxSharedClientsPerGpu") or 1)


def taints(pool: Json) -> list[dict[str, str]]:
    """Return the taints of the pool's nodes in Kubernetes' spelling."""
    return [
        {
            "key": taint["key"],
            "value": taint.get("value") or "",
            "effect": _EFFECTS[taint["effect"]],
        }
        for taint in pool["config"].get("taints") or []
    ]


def machine_of(pool: Json) -> MachineType:
    """Return the machine type of a pool. Raises LookupError if the catalog lacks it."""
    machine = machine_type(pool["config"]["machineType"])
    if machine is None:  # removed from the catalog since the pool was created
        raise LookupError(f"machine type {pool['config']['machineType']} is not in the catalog")
    return machine


def names_by_zone(groups: list[Group]) -> list[tuple[str, str]]:
    """Return the name and zone of every node of a pool."""
    return [(name, group.zone) for group in groups for name in group.nodes]
