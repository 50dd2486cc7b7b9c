"""Defaults that Kubernetes Engine adds to a requested node pool. Pure functions."""

from __future__ import annotations

from facts.machines import MachineType, machine_type
from sandbox.gcp.services.container import pool_taints
from sandbox.gcp.services.container.defaults import SCOPES
from sandbox.gcp.services.container.hardware import default_disk
from sandbox.gcp.services.container.ranges import pods_per_node_prefix
from sandbox.gcp.services.container.wire_format import Json, merge, without

DEFAULT_MACHINE = "e2-medium"


def node_config(given: Json, *, cluster: Json) -> Json:
    """Return a pool's node configuration with defaults, but for GKE's own taints."""
    disk = given.get("bootDisk") or {}
    size = int(given.get("diskSizeGb") or disk.get("sizeGb") or 100)
    kind = given.get("diskType") or disk.get("diskType")
    kind = kind or default_disk(given.get("machineType") or DEFAULT_MACHINE)
    config = merge(
        {
            "effectiveCgroupMode": "EFFECTIVE_CGROUP_MODE_V2",
            "imageType": "COS_CONTAINERD",
            "kubeletConfig": {
                "insecureKubeletReadonlyPortEnabled": False,
                "maxParallelImagePulls": 2,
            },
            "machineType": DEFAULT_MACHINE,
            "metadata": {"disable-legacy-endpoints": "true"},
            "oauthScopes": SCOPES,
            "serviceAccount": "default",
            "shieldedInstanceConfig": {"enableIntegrityMonitoring": True},
            "windowsNodeConfig": {},
        },
        {name: value for name, value in given.items() if value not in ("", [], None)},
    )
    config |= {
        "diskSizeGb": size,
        "diskType": kind,
        "bootDisk": merge(disk, {"diskType": kind, "sizeGb": str(size)}),
        "resourceLabels": _resource_labels(given),
    }
    if cluster.get("workloadIdentityConfig"):
        mode = (given.get("workloadMetadataConfig") or {}).get("mode") or "GKE_METADATA"
        shown = "GKE_METADATA_SERVER" if mode == "GKE_METADATA" else "EXPOSE"
        config["workloadMetadataConfig"] = {"mode": mode, "nodeMetadata": shown}
    return config


def accelerators(config: Json) -> tuple[str, int] | None:
    """Return the type and number of GPUs per node, including those of the machine type."""
    for entry in config.get("accelerators") or []:
        count = int(entry.get("acceleratorCount") or 0)
        if count:
            return str(entry.get("acceleratorType")), count
    machine: MachineType | None = machine_type(config.get("machineType") or DEFAULT_MACHINE)
    if machine is not None and machine.accelerators is not None:
        return machine.accelerators.type, machine.accelerators.count
    return None


def settle_taints(pool: Json) -> None:
    """Bring the taints of a pool into line with the rest of its configuration."""
    config: Json = pool["config"]
    queued = bool((pool.get("queuedProvisioning") or {}).get("enabled"))
    pool_taints.settle(config, has_gpus=accelerators(config) is not None, is_queued=queued)


def _resource_labels(given: Json) -> Json:
    if given.get("flexStart"):
        model = "flex-start"
    elif given.get("spot"):
        model = "spot"
    elif given.get("preemptible"):
        model = "preemptible"
    else:
        model = "on-demand"
    labels: Json = {"goog-gke-node-pool-provisioning-model": model}
    gpus = accelerators(given)
    if gpus is not None:
        labels["goog-gke-accelerator-type"] = gpus[0]
    return dict(given.get("resourceLabels") or {}) | labels


def pool(given: Json, *, cluster: Json, version: str, etag: str) -> Json:
    """Return the pool as in the API's answer, without instance groups and links."""
    config = node_config(given.get("config") or {}, cluster=cluster)
    asked_pods = (given.get("maxPodsConstraint") or {}).get("maxPodsPerNode")
    default_pods = (cluster.get("defaultMaxPodsConstraint") or {}).get("maxPodsPerNode")
    max_pods = str(asked_pods or default_pods or 110)
    policy: Json = cluster.get("ipAllocationPolicy") or {}
    network: Json = merge(
        {
            "networkTierConfig": {"networkTier": "NETWORK_TIER_DEFAULT"},
            "podIpv4CidrBlock": policy.get("clusterIpv4CidrBlock"),
            "podRange": policy.get("clusterSecondaryRangeName"),
            "subnetwork": cluster["networkConfig"]["subnetwork"],
        },
        without(given.get("networkConfig") or {}, "createPodRange"),
    )
    if cluster["networkConfig"].get("defaultEnablePrivateNodes"):
        network.setdefault("enablePrivateNodes", True)
    result = merge(
        {
            "management": {"autoRepair": True, "autoUpgrade": True},
            "podIpv4CidrSize": pods_per_node_prefix(int(max_pods)),
            "status": "PROVISIONING",
            "version": version,
        },
        without(given, "config", "networkConfig", "upgradeSettings", "autoscaling", "version"),
    )
    result |= {
        "config": config,
        "networkConfig": network,
        "maxPodsConstraint": {"maxPodsPerNode": max_pods},
        "locations": list(given.get("locations") or cluster["locations"]),
        "upgradeSettings": upgrade_settings(given.get("upgradeSettings") or {}),
        "etag": etag,
    }
    settle_taints(result)
    scaling = autoscaling(given.get("autoscaling") or {}, spot=is_spot(config))
    if scaling:
        result["autoscaling"] = scaling
    return result


def is_spot(config: Json) -> bool:
    """Whether the pool has spot or preemptible nodes."""
    return bool(config.get("spot") or config.get("preemptible"))


def upgrade_settings(given: Json) -> Json:
    """Return a pool's upgrade settings with defaults."""
    if given.get("strategy") == "BLUE_GREEN" or given.get("blueGreenSettings"):
        blue_green = merge(
            {
                "nodePoolSoakDuration": "3600s",
                "standardRolloutPolicy": {"batchNodeCount": 1, "batchSoakDuration": "0s"},
            },
            given.get("blueGreenSettings") or {},
        )
        rollout = blue_green["standardRolloutPolicy"]
        if rollout.get("batchPercentage"):
            rollout.pop("batchNodeCount", None)
        return given | {"blueGreenSettings": blue_green, "strategy": "BLUE_GREEN"}
    surge = given if given.get("maxSurge") or given.get("maxUnavailable") else {"maxSurge": 1}
    return {"strategy": "SURGE"} | given | surge


def autoscaling(given: Json, *, spot: bool) -> Json:
    """Return a pool's autoscaling settings with defaults; empty if off."""
    if not given.get("enabled"):
        return {}
    return {"locationPolicy": "ANY" if spot else "BALANCED"} | given
