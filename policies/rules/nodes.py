"""Rules about nodes: image, metadata, scopes, disks, zones, upgrades, spot, accelerators."""

from collections.abc import Iterator

from policies.rule import Stack, advisory, cis, google, mandatory
from policies.rules.cluster import CLUSTER
from policies.rules.node_pools import NODE_POOL, POOLS, describe_pool
from policies.subjects import Resource
from policies.values import (
    MalformedInputError,
    Props,
    block,
    comparable_text,
    entries,
    flag,
    number,
    text,
    texts,
)

_GKE = "kubernetes-engine/docs/"


@mandatory(
    POOLS,
    layer="cluster",
    severity="medium",
    why="Container-Optimized OS has a read-only root, verified boot and a small attack surface; "
    "images with Docker ended with 1.24.",
    fix="set node_config.image_type to COS_CONTAINERD (the cluster layer always does)",
    references=(cis("5.5.1"), google("Node images", _GKE + "concepts/node-images")),
    passing={"nodeConfig": {"imageType": "COS_CONTAINERD"}},
    failing={"nodeConfig": {"imageType": "UBUNTU_CONTAINERD"}},
)
def nodes_run_container_optimized_os(pool: Props) -> Iterator[str]:
    """Nodes run Container-Optimized OS with containerd."""
    image = text(pool, "nodeConfig", "imageType").upper()
    # The default is COS_CONTAINERD. Windows nodes have their own images.
    if image and image != "COS_CONTAINERD" and not image.startswith("WINDOWS"):
        yield f"{describe_pool(pool)} runs {image}"


@mandatory(
    POOLS,
    layer="cluster",
    severity="medium",
    why="Integrity monitoring compares each boot with a known good one and detects changes that "
    "Secure Boot does not.",
    fix="keep node_config.shielded_instance_config.enable_integrity_monitoring on",
    references=(cis("5.5.6"), google("Shielded GKE nodes", _GKE + "how-to/shielded-gke-nodes")),
    passing={"nodeConfig": {"shieldedInstanceConfig": {"enableIntegrityMonitoring": True}}},
    failing={"nodeConfig": {"shieldedInstanceConfig": {"enableIntegrityMonitoring": False}}},
)
def nodes_watch_their_integrity(pool: Props) -> Iterator[str]:
    """Nodes have integrity monitoring."""
    shielded = block(pool, "nodeConfig").get("shieldedInstanceConfig")
    # On by default without the block; within the block the API's default is off.
    given = block(pool, "nodeConfig", "shieldedInstanceConfig")
    if not flag(given, "enableIntegrityMonitoring", default=shielded is None):
        yield f"{describe_pool(pool)} has shieldedInstanceConfig.enableIntegrityMonitoring off"


@mandatory(
    POOLS,
    layer="cluster",
    severity="medium",
    why="The legacy metadata endpoints do not require the Metadata-Flavor header, so forged "
    "requests (SSRF) reach them.",
    fix="set node_config.metadata disable-legacy-endpoints to true (the cluster layer does)",
    references=(
        cis("5.4.1"),
        google("Protecting node metadata", _GKE + "how-to/protecting-cluster-metadata"),
    ),
    passing={"nodeConfig": {"metadata": {"disable-legacy-endpoints": "true"}}},
    failing={"nodeConfig": {"metadata": {"disable-legacy-endpoints": "false"}}},
)
def nodes_have_no_legacy_endpoints(pool: Props) -> Iterator[str]:
    """Nodes have the legacy metadata endpoints off."""
    metadata = block(pool, "nodeConfig", "metadata")
    # Off by default since 1.12; custom metadata without the key turns them on.
    if not flag(metadata, "disable-legacy-endpoints", default=not metadata):
        yield f"{describe_pool(pool)} has metadata.disable-legacy-endpoints unset or false"


_WIDE_SCOPES = (
    "auth/compute",
    "auth/devstorage.full_control",
    "auth/devstorage.read_write",
    "auth/sqlservice.admin",
    "auth/cloud-identity",
)


@mandatory(
    POOLS,
    layer="cluster",
    severity="medium",
    why="Scopes are a legacy mechanism: use cloud-platform with a least-privilege service account, "
    "which IAM restricts exactly.",
    fix="use a dedicated service account and the scope cloud-platform (the cluster layer does)",
    references=(
        cis("5.2.1"),
        google("Access scopes", _GKE + "how-to/access-scopes"),
    ),
    passing={
        "nodeConfig": {
            "serviceAccount": "general@acme-ml-dev.iam.gserviceaccount.com",
            "oauthScopes": ["https://www.googleapis.com/auth/cloud-platform"],
        }
    },
    failing={"nodeConfig": {"oauthScopes": ["https://www.googleapis.com/auth/compute"]}},
)
def node_scopes_are_narrow(pool: Props) -> Iterator[str]:
    """Nodes have no scope with write access to a whole service."""
    config = block(pool, "nodeConfig")
    scopes = texts(config, "oauthScopes")
    for scope in scopes:
        if scope.endswith(_WIDE_SCOPES):
            yield f"{describe_pool(pool)} has the scope {scope}"
    is_wide = any(scope.endswith("auth/cloud-platform") for scope in scopes)
    if is_wide and text(config, "serviceAccount") in {"", "default"}:
        yield f"{describe_pool(pool)} has the scope cloud-platform for the default service account"


@advisory(
    POOLS,
    layer="cluster",
    severity="low",
    why="With a customer-managed key, data on a disk is unreadable once the key is destroyed.",
    fix="set gke-cluster:node_pools[].boot_disk_kms_key",
    references=(
        cis("5.9.2"),
        google("Customer-managed encryption keys", _GKE + "how-to/using-cmek"),
    ),
    passing={"nodeConfig": {"bootDiskKmsKey": "projects/p/locations/l/keyRings/r/cryptoKeys/k"}},
    failing={"nodeConfig": {}},
)
def node_disks_use_customer_managed_keys(pool: Props) -> Iterator[str]:
    """The boot disks of nodes are encrypted with a Cloud KMS key."""
    if not text(pool, "nodeConfig", "bootDiskKmsKey"):
        yield f"{describe_pool(pool)} has no nodeConfig.bootDiskKmsKey"


@advisory(
    NODE_POOL,
    layer="cluster",
    severity="medium",
    why="A pool in one zone fails with it, and cannot grow when that zone is out of capacity.",
    fix="use two or more zones (gke-cluster:cluster.zones)",
    references=(google("Regional clusters", _GKE + "concepts/regional-clusters"),),
    passing={"location": "europe-west4", "nodeLocations": ["europe-west4-a", "europe-west4-b"]},
    failing={"location": "europe-west4-a", "nodeLocations": ["europe-west4-a"]},
)
def node_pool_spans_zones(pool: Props) -> Iterator[str]:
    """A node pool has nodes in more than one zone."""
    zones = texts(pool, "nodeLocations") or texts(pool, "locations")
    # Without zones, a pool of a regional cluster is in three.
    is_zonal = text(pool, "location").count("-") > 1
    if len(set(zones)) == 1 or (not zones and is_zonal):
        yield f"{describe_pool(pool)} is in {', '.join(zones) or text(pool, 'location')} only"


@mandatory(
    NODE_POOL,
    layer="cluster",
    severity="medium",
    why="With neither surge nor unavailable nodes an upgrade cannot proceed; with all nodes "
    "unavailable it is an outage.",
    fix="set gke-cluster:node_pools[].max_surge to 1, or gke-cluster:node_pools[].blue_green",
    references=(google("Node upgrade strategies", _GKE + "concepts/node-pool-upgrade-strategies"),),
    passing={"upgradeSettings": {"maxSurge": 1, "maxUnavailable": 0}},
    failing={"upgradeSettings": {"maxSurge": 0, "maxUnavailable": 0}},
)
def node_pool_upgrades_gradually(pool: Props) -> Iterator[str]:
    """A node pool is upgraded a few nodes at a time."""
    settings = block(pool, "upgradeSettings")
    if text(settings, "strategy") == "BLUE_GREEN" or block(settings, "blueGreenSettings"):
        return
    surge, unavailable = number(settings, "maxSurge"), number(settings, "maxUnavailable")
    if settings and not surge and not unavailable:
        yield "upgradeSettings has neither maxSurge nor maxUnavailable"
    size = number(pool, "autoscaling", "maxNodeCount") or number(pool, "nodeCount")
    if unavailable and size and unavailable >= size > 1:
        yield f"upgradeSettings.maxUnavailable {unavailable:.0f} is all {size:.0f} nodes of a zone"


@advisory(
    POOLS,
    layer="cluster",
    severity="medium",
    why="A spot node is reclaimed within 30 seconds. Only pods that ask for spot should run on it.",
    fix="taint the pool, and add a toleration to models that can run on spot "
    "(gke-cluster:node_pools[].taints)",
    references=(google("Spot VMs", _GKE + "concepts/spot-vms"),),
    passing={
        "nodeConfig": {
            "spot": True,
            "taints": [
                {"key": "cloud.google.com/gke-spot", "value": "true", "effect": "NO_SCHEDULE"}
            ],
        }
    },
    failing={"nodeConfig": {"spot": True}},
)
def spot_nodes_keep_others_away(pool: Props) -> Iterator[str]:
    """Spot nodes have a taint."""
    config = block(pool, "nodeConfig")
    is_spot = flag(config, "spot") or flag(config, "preemptible")
    if is_spot and not entries(config, "taints"):
        yield f"{describe_pool(pool)} has spot nodes and no taint"


@mandatory(
    POOLS,
    layer="cluster",
    severity="high",
    why="Without a driver no pod can use the accelerator, which is billed all the same.",
    fix="set gke-cluster:node_pools[].accelerator.driver to DEFAULT or LATEST",
    references=(google("GPUs in GKE", _GKE + "how-to/gpus"),),
    passing={
        "nodeConfig": {
            "guestAccelerators": [
                {
                    "type": "nvidia-l4",
                    "count": 1,
                    "gpuDriverInstallationConfig": {"gpuDriverVersion": "LATEST"},
                }
            ]
        }
    },
    failing={
        "nodeConfig": {
            "guestAccelerators": [
                {
                    "type": "nvidia-l4",
                    "count": 1,
                    "gpuDriverInstallationConfig": {"gpuDriverVersion": "INSTALLATION_DISABLED"},
                }
            ]
        }
    },
)
def accelerators_have_a_driver(pool: Props) -> Iterator[str]:
    """GKE installs the driver of every GPU."""
    for accelerator in entries(pool, "nodeConfig", "guestAccelerators"):
        version = text(accelerator, "gpuDriverInstallationConfig", "gpuDriverVersion")
        if version in {"", "INSTALLATION_DISABLED", "GPU_DRIVER_VERSION_UNSPECIFIED"}:
            kind = text(accelerator, "type")
            yield f"{describe_pool(pool)}: {kind} has gpuDriverVersion {version or 'unset'}"


@mandatory(
    NODE_POOL,
    layer="cluster",
    severity="high",
    why="GKE does not support nodes more than two minor versions behind the control plane.",
    fix="turn on auto-upgrade, or set the pool's version",
    references=(google("Upgrades", _GKE + "concepts/cluster-upgrades"),),
    passing=(
        Resource(CLUSTER.example, {"name": "main", "currentMasterVersion": "1.36.3-gke.1237000"}),
        Resource(NODE_POOL.example, {"cluster": "main", "version": "1.35.1-gke.1000000"}),
    ),
    failing=(
        Resource(CLUSTER.example, {"name": "main", "currentMasterVersion": "1.36.3-gke.1237000"}),
        Resource(NODE_POOL.example, {"cluster": "main", "version": "1.33.1-gke.1000000"}),
    ),
)
def node_versions_are_near_the_control_planes(pool: Props, stack: Stack) -> Iterator[str]:
    """A node pool is at most two minor versions behind its control plane."""
    version = text(pool, "version")
    if not version:
        return
    cluster_name = text(pool, "cluster").rpartition("/")[2]
    for cluster in stack.of(CLUSTER):
        if text(cluster.props, "name") != cluster_name:
            continue
        keys = ("currentMasterVersion", "masterVersion", "minMasterVersion")
        control = next((found for key in keys if (found := text(cluster.props, key))), "")
        if control and not 0 <= _minor(control) - _minor(version) <= 2:
            yield f"{describe_pool(pool)} runs {version}, the control plane {control}"


_READ_ONLY_PORT = "insecureKubeletReadonlyPortEnabled"
_KUBELETS = (
    ("nodeConfig", "kubeletConfig"),
    ("nodePoolDefaults", "nodeConfigDefaults"),
    ("nodePoolDefaults", "nodeConfigDefaults", "nodeKubeletConfig"),
    ("nodePoolAutoConfig", "nodeKubeletConfig"),
)


@mandatory(
    CLUSTER | NODE_POOL,
    layer="cluster",
    severity="high",
    why="The kubelet's port 10255 shows every pod's configuration to whoever reaches the node, "
    "without authentication.",
    fix="set insecure_kubelet_readonly_port_enabled to FALSE",
    references=(
        cis("4.2.4"),
        google("Kubelet read-only port", _GKE + "how-to/disable-kubelet-readonly-port"),
    ),
    passing={"nodePoolDefaults": {"nodeConfigDefaults": {_READ_ONLY_PORT: "FALSE"}}},
    failing={"nodePoolDefaults": {"nodeConfigDefaults": {_READ_ONLY_PORT: "TRUE"}}},
)
def kubelets_have_no_read_only_port(subject: Props) -> Iterator[str]:
    """The kubelet's read-only port is off."""
    for path in _KUBELETS:
        # The provider spells it TRUE or FALSE, the API true or false.
        if comparable_text(block(subject, *path).get(_READ_ONLY_PORT)).lower() == "true":
            yield f"{'.'.join(path)}.{_READ_ONLY_PORT} is true"


def _minor(version: str) -> int:
    parts = version.split(".")
    if len(parts) < 2 or not (parts[0].isdigit() and parts[1].isdigit()):
        raise MalformedInputError(f"{version!r} is not a GKE version")
    return int(parts[0]) * 1000 + int(parts[1])
