"""Rules about what a node runs and bears: image, disks, accelerators, upgrades, price."""

from collections.abc import Iterator

from policies.rule import Stack, advisory, cis, google, mandatory
from policies.rules.cluster import CLUSTER
from policies.rules.node_pools import NODE_POOL, POOLS, spoken
from policies.subjects import Resource
from policies.values import OddInputError, Props, block, entries, flag, number, text, texts

_GKE = "kubernetes-engine/docs/"


@mandatory(
    POOLS,
    layer="cluster",
    severity="medium",
    why="Container-Optimized OS has a read-only root, verified boot and little to attack; Docker's "
    "images are gone since 1.24.",
    fix="set node_config.image_type to COS_CONTAINERD (the cluster layer always does)",
    references=(cis("5.5.1"), google("Node images", _GKE + "concepts/node-images")),
    passing={"nodeConfig": {"imageType": "COS_CONTAINERD"}},
    failing={"nodeConfig": {"imageType": "UBUNTU_CONTAINERD"}},
)
def nodes_run_container_optimized_os(pool: Props) -> Iterator[str]:
    """Nodes run Container-Optimized OS with containerd."""
    image = text(pool, "nodeConfig", "imageType").upper()
    # Unset is GKE's default, which is this one. Windows has no such image.
    if image and image != "COS_CONTAINERD" and not image.startswith("WINDOWS"):
        yield f"{spoken(pool)} runs {image}"


@mandatory(
    POOLS,
    layer="cluster",
    severity="medium",
    why="Integrity monitoring compares each boot with the last good one: it shows what secure boot "
    "cannot refuse.",
    fix="leave node_config.shielded_instance_config.enable_integrity_monitoring on",
    references=(cis("5.5.6"), google("Shielded GKE nodes", _GKE + "how-to/shielded-gke-nodes")),
    passing={"nodeConfig": {"shieldedInstanceConfig": {"enableIntegrityMonitoring": True}}},
    failing={"nodeConfig": {"shieldedInstanceConfig": {"enableIntegrityMonitoring": False}}},
)
def nodes_watch_their_integrity(pool: Props) -> Iterator[str]:
    """Nodes report how they booted."""
    shielded = block(pool, "nodeConfig").get("shieldedInstanceConfig")
    # On by default where the block is left out; within it, what is not said is off in the API.
    given = block(pool, "nodeConfig", "shieldedInstanceConfig")
    if not flag(given, "enableIntegrityMonitoring", default=shielded is None):
        yield f"{spoken(pool)} has shieldedInstanceConfig.enableIntegrityMonitoring off"


@mandatory(
    POOLS,
    layer="cluster",
    severity="medium",
    why="The old metadata endpoints take requests without the header that tells a browser's or a "
    "proxy's from a program's own.",
    fix="set node_config.metadata disable-legacy-endpoints to true (the cluster layer does)",
    references=(
        cis("5.4.1"),
        google("Protecting node metadata", _GKE + "how-to/protecting-cluster-metadata"),
    ),
    passing={"nodeConfig": {"metadata": {"disable-legacy-endpoints": "true"}}},
    failing={"nodeConfig": {"metadata": {"disable-legacy-endpoints": "false"}}},
)
def nodes_have_no_legacy_endpoints(pool: Props) -> Iterator[str]:
    """Nodes do not answer on the legacy endpoints of the metadata server."""
    metadata = block(pool, "nodeConfig", "metadata")
    # Off by default since 1.12: only a metadata of one's own can bring them back.
    if not flag(metadata, "disable-legacy-endpoints", default=not metadata):
        yield f"{spoken(pool)} has metadata.disable-legacy-endpoints unset or false"


_TOO_WIDE = (
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
    why="Scopes are an old fence: cloud-platform with an account of few roles is exact, while a "
    "wide scope of one service mostly stands where nobody looked at the account.",
    fix="give the pool an account of its own and the scope cloud-platform (the cluster layer does)",
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
    """Nodes have no scope that writes to a whole service."""
    config = block(pool, "nodeConfig")
    scopes = texts(config, "oauthScopes")
    for scope in scopes:
        if scope.endswith(_TOO_WIDE):
            yield f"{spoken(pool)} has the scope {scope}"
    is_wide = any(scope.endswith("auth/cloud-platform") for scope in scopes)
    if is_wide and text(config, "serviceAccount") in {"", "default"}:
        yield f"{spoken(pool)} has the scope cloud-platform for the default service account"


@advisory(
    POOLS,
    layer="cluster",
    severity="low",
    why="With a key of one's own, what is left on a disk cannot be read once the key is gone.",
    fix="set gke-cluster:node_pools[].boot_disk_kms_key",
    references=(
        cis("5.9.2"),
        google("Customer-managed encryption keys", _GKE + "how-to/using-cmek"),
    ),
    passing={"nodeConfig": {"bootDiskKmsKey": "projects/p/locations/l/keyRings/r/cryptoKeys/k"}},
    failing={"nodeConfig": {}},
)
def node_disks_are_encrypted_with_a_key_of_ones_own(pool: Props) -> Iterator[str]:
    """The boot disks of nodes are encrypted with a key of Cloud KMS."""
    if not text(pool, "nodeConfig", "bootDiskKmsKey"):
        yield f"{spoken(pool)} has no nodeConfig.bootDiskKmsKey"


@advisory(
    NODE_POOL,
    layer="cluster",
    severity="medium",
    why="A pool of one zone is gone with it, and finds no machines when that zone has none.",
    fix="name two zones or more (gke-cluster:cluster.zones)",
    references=(google("Regional clusters", _GKE + "concepts/regional-clusters"),),
    passing={"location": "europe-west4", "nodeLocations": ["europe-west4-a", "europe-west4-b"]},
    failing={"location": "europe-west4-a", "nodeLocations": ["europe-west4-a"]},
)
def node_pool_spans_zones(pool: Props) -> Iterator[str]:
    """A node pool has nodes in more than one zone."""
    zones = texts(pool, "nodeLocations") or texts(pool, "locations")
    # Of a regional cluster, a pool that names no zones is in three.
    is_zonal = text(pool, "location").count("-") > 1
    if len(set(zones)) == 1 or (not zones and is_zonal):
        yield f"{spoken(pool)} is in {', '.join(zones) or text(pool, 'location')} alone"


@mandatory(
    NODE_POOL,
    layer="cluster",
    severity="medium",
    why="An upgrade that may add no node and take none away goes nowhere; one that takes all away "
    "at a time is an outage.",
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
    surge, away = number(settings, "maxSurge"), number(settings, "maxUnavailable")
    if settings and not surge and not away:
        yield "upgradeSettings has neither maxSurge nor maxUnavailable"
    size = number(pool, "autoscaling", "maxNodeCount") or number(pool, "nodeCount")
    if away and size and away >= size > 1:
        yield f"upgradeSettings.maxUnavailable {away:.0f} takes all {size:.0f} nodes of a zone away"


@advisory(
    POOLS,
    layer="cluster",
    severity="medium",
    why="A spot node goes within 30 seconds. What did not ask for one should not land on one.",
    fix="taint the pool, and let models that can bear it tolerate the taint "
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
    """Spot nodes bear a taint, so that only what tolerates it runs there."""
    config = block(pool, "nodeConfig")
    is_spot = flag(config, "spot") or flag(config, "preemptible")
    if is_spot and not entries(config, "taints"):
        yield f"{spoken(pool)} is of spot nodes and has no taint"


@mandatory(
    POOLS,
    layer="cluster",
    severity="high",
    why="Without a driver the node has an accelerator that no pod can use: it costs, and serves "
    "nobody.",
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
    """GKE installs a driver for every accelerator."""
    for accelerator in entries(pool, "nodeConfig", "guestAccelerators"):
        version = text(accelerator, "gpuDriverInstallationConfig", "gpuDriverVersion")
        if version in {"", "INSTALLATION_DISABLED", "GPU_DRIVER_VERSION_UNSPECIFIED"}:
            kind = text(accelerator, "type")
            yield f"{spoken(pool)}: {kind} has gpuDriverVersion {version or 'unset'}"


@mandatory(
    NODE_POOL,
    layer="cluster",
    severity="high",
    why="Kubelets more than two minor versions behind the API server are not supported: they do "
    "not understand all that they are told.",
    fix="let the pool upgrade itself, or set its version",
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
    home = text(pool, "cluster").rpartition("/")[2]
    for cluster in stack.of(CLUSTER):
        if text(cluster.props, "name") != home:
            continue
        keys = ("currentMasterVersion", "masterVersion", "minMasterVersion")
        control = next((found for key in keys if (found := text(cluster.props, key))), "")
        if control and not 0 <= _minor(control) - _minor(version) <= 2:
            yield f"{spoken(pool)} runs {version}, the control plane {control}"


def _minor(version: str) -> int:
    parts = version.split(".")
    if len(parts) < 2 or not (parts[0].isdigit() and parts[1].isdigit()):
        raise OddInputError(f"{version!r} is no version of GKE")
    return int(parts[0]) * 1000 + int(parts[1])
