"""Rules about how a cluster is kept alive: seen, maintained, backed up and not deleted."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from gkeplatform.config import Settings
from policies.rule import Stack, advisory, cis, google, mandatory
from policies.rules.cluster import CLUSTER
from policies.subjects import Resource, gcp, whole
from policies.values import Props, block, flag, number, text, texts

BACKUP_PLANS = gcp("gkebackup/backupPlan:BackupPlan")
_GKE = "kubernetes-engine/docs/"
_MOST_BACKENDS = 250


class Components(Settings):
    """Of what a cluster tells."""

    logs: Annotated[
        tuple[str, ...], Meta(description="Components whose logs have to be collected.")
    ] = ("SYSTEM_COMPONENTS", "WORKLOADS")
    metrics: Annotated[
        tuple[str, ...], Meta(description="Components whose metrics have to be collected.")
    ] = ("SYSTEM_COMPONENTS",)


def _telling(*logs: str) -> Props:
    return {
        "loggingConfig": {"enableComponents": list(logs)},
        "monitoringConfig": {"enableComponents": ["SYSTEM_COMPONENTS"]},
    }


@mandatory(
    CLUSTER,
    layer="cluster",
    severity="medium",
    why="After an incident there is nothing to look at but what was collected before it.",
    fix="leave them on (gke-cluster:cluster.logs and gke-cluster:cluster.metrics)",
    references=(cis("5.7.1"), google("GKE observability", _GKE + "concepts/observability")),
    passing=_telling("SYSTEM_COMPONENTS", "WORKLOADS"),
    failing=_telling(),
)
def cluster_tells_what_it_does(cluster: Props, given: Components) -> Iterator[str]:
    """A cluster sends logs and metrics to Google Cloud's operations suite."""
    for key, service, wanted in (
        ("loggingConfig", "loggingService", given.logs),
        ("monitoringConfig", "monitoringService", given.metrics),
    ):
        config = cluster.get(key)
        if text(cluster, service) == "none":
            yield f"{service} is none"
        elif isinstance(config, dict):
            missing = set(wanted) - set(texts(config, "enableComponents"))
            if missing:
                yield f"{key}.enableComponents lacks {', '.join(sorted(missing))}"
        # Unset is Google's default, system components and workloads, unless a service is named.


@advisory(
    CLUSTER,
    layer="cluster",
    severity="low",
    why="Managed Prometheus collects what models tell of themselves; autoscaling by their metrics "
    "needs it.",
    fix="set gke-cluster:cluster.managed_prometheus",
    references=(google("Managed Service for Prometheus", "stackdriver/docs/managed-prometheus"),),
    passing={"monitoringConfig": {"managedPrometheus": {"enabled": True}}},
    failing={"monitoringConfig": {"managedPrometheus": {"enabled": False}}},
)
def cluster_collects_prometheus_metrics(cluster: Props) -> Iterator[str]:
    """Managed Prometheus is on."""
    if not flag(cluster, "monitoringConfig", "managedPrometheus", "enabled"):
        yield "monitoringConfig.managedPrometheus.enabled is not true"


@advisory(
    CLUSTER,
    layer="cluster",
    severity="medium",
    why="Without a window Google upgrades nodes whenever it likes, at the busiest hour too.",
    fix="set gke-cluster:cluster.maintenance",
    references=(
        google("Maintenance windows", _GKE + "concepts/maintenance-windows-and-exclusions"),
    ),
    passing={"maintenancePolicy": {"dailyMaintenanceWindow": {"startTime": "03:00"}}},
    failing={"name": "main"},
)
def cluster_has_a_maintenance_window(cluster: Props) -> Iterator[str]:
    """A cluster is maintained at a time that was chosen for it."""
    policy = block(cluster, "maintenancePolicy")
    if not any(block(policy, key) for key in ("dailyMaintenanceWindow", "recurringWindow")):
        yield "maintenancePolicy has no window"


@advisory(
    CLUSTER,
    layer="cluster",
    severity="high",
    why="One wrong word in a program deletes the cluster and all that runs on it.",
    fix="set gke-cluster:cluster.deletion_protection",
    references=(google("Deleting a cluster", _GKE + "how-to/deleting-a-cluster"),),
    passing={"deletionProtection": True},
    failing={"deletionProtection": False},
)
def cluster_is_protected_from_deletion(cluster: Props) -> Iterator[str]:
    """A cluster cannot be deleted before its protection is taken away."""
    # The provider protects what does not say otherwise; the API does not tell of it.
    if not flag(cluster, "deletionProtection", default=True):
        yield "deletionProtection is false"


@advisory(
    CLUSTER,
    layer="cluster",
    severity="medium",
    why="The control plane of a zonal cluster is away during its upgrades, and with its zone.",
    fix="leave gke-cluster:cluster.control_plane_zone out",
    references=(google("Regional clusters", _GKE + "concepts/regional-clusters"),),
    passing={"location": "europe-west4"},
    failing={"location": "europe-west4-a"},
)
def cluster_is_regional(cluster: Props) -> Iterator[str]:
    """A cluster has a control plane in every zone of its region."""
    location = text(cluster, "location") or text(cluster, "zone")
    if location.count("-") > 1:
        yield f"location {location} is a zone"


@advisory(
    CLUSTER,
    layer="cluster",
    severity="low",
    why="Without it a bill names nodes, and no team or model.",
    fix="set gke-cluster:cluster.cost_allocation",
    references=(google("Cost allocation", _GKE + "how-to/cost-allocations"),),
    passing={"costManagementConfig": {"enabled": True}},
    failing={"name": "main"},
)
def cluster_allocates_its_cost(cluster: Props) -> Iterator[str]:
    """The bill of a cluster is split by namespace and label."""
    if not flag(cluster, "costManagementConfig", "enabled"):
        yield "costManagementConfig.enabled is not true"


@advisory(
    CLUSTER.seen_as(whole),
    layer="cluster",
    severity="medium",
    why="What only the cluster knows, such as a database's volume, is gone with it.",
    fix="set gke-cluster:cluster.backup",
    references=(google("Backup for GKE", _GKE + "add-on/backup-for-gke/concepts/backup-for-gke"),),
    passing=(
        Resource("gcp:container/cluster:Cluster", {"name": "main"}, "main"),
        Resource("gcp:gkebackup/backupPlan:BackupPlan", {"cluster": "main"}, "main"),
    ),
    failing=(Resource("gcp:container/cluster:Cluster", {"name": "main"}, "main"),),
)
def cluster_has_a_backup_plan(cluster: Resource, stack: Stack) -> Iterator[str]:  # noqa: ARG001 (that the stack has one is what counts)
    """A cluster is backed up by a plan of Backup for GKE."""
    if not stack.of(BACKUP_PLANS):
        yield "no BackupPlan is declared"


@advisory(
    CLUSTER,
    layer="cluster",
    severity="low",
    why="Nobody learns of a new version, or of a security bulletin for this one, but by chance.",
    fix="set gke-cluster:cluster.notifications",
    references=(google("Cluster notifications", _GKE + "concepts/cluster-notifications"),),
    passing={"notificationConfig": {"pubsub": {"enabled": True, "topic": "projects/p/topics/t"}}},
    failing={"name": "main"},
)
def cluster_announces_upgrades(cluster: Props) -> Iterator[str]:
    """A cluster tells of upgrades and security bulletins."""
    if not flag(cluster, "notificationConfig", "pubsub", "enabled"):
        yield "notificationConfig.pubsub.enabled is not true"


@advisory(
    CLUSTER,
    layer="cluster",
    severity="low",
    why="Without the cache every look-up of a name goes to one of a few pods; under load they are "
    "late, and requests with them.",
    fix="set gke-cluster:cluster.dns_cache",
    references=(google("NodeLocal DNSCache", _GKE + "how-to/nodelocal-dns-cache"),),
    passing={"addonsConfig": {"dnsCacheConfig": {"enabled": True}}},
    failing={"addonsConfig": {}},
)
def cluster_caches_dns_on_nodes(cluster: Props) -> Iterator[str]:
    """Each node caches the names that its pods look up."""
    # Cloud DNS is served on each node by itself.
    if text(cluster, "dnsConfig", "clusterDns") == "CLOUD_DNS" or flag(cluster, "enableAutopilot"):
        return
    if not flag(cluster, "addonsConfig", "dnsCacheConfig", "enabled"):
        yield "addonsConfig.dnsCacheConfig.enabled is not true"


@mandatory(
    CLUSTER,
    layer="cluster",
    severity="medium",
    why="Without the driver no pod gets a volume: databases stay pending.",
    fix="leave addons_config.gce_persistent_disk_csi_driver_config on",
    references=(
        google("Persistent disk CSI driver", _GKE + "how-to/persistent-volumes/gce-pd-csi-driver"),
    ),
    passing={"addonsConfig": {"gcePersistentDiskCsiDriverConfig": {"enabled": True}}},
    failing={"addonsConfig": {"gcePersistentDiskCsiDriverConfig": {"enabled": False}}},
)
def cluster_has_the_disk_driver(cluster: Props) -> Iterator[str]:
    """The driver of Compute Engine's disks is on."""
    # On by default in every version that GKE offers.
    driver = block(cluster, "addonsConfig", "gcePersistentDiskCsiDriverConfig")
    if not flag(driver, "enabled", default=True):
        yield "addonsConfig.gcePersistentDiskCsiDriverConfig.enabled is false"


@advisory(
    CLUSTER,
    layer="cluster",
    severity="low",
    why="Without subsetting every node is a backend of every internal load balancer, and beyond "
    "250 nodes some are left out.",
    fix="set gke-cluster:cluster.internal_load_balancer_subsetting",
    references=(google("Internal load balancers", _GKE + "how-to/internal-load-balancing"),),
    passing={"enableL4IlbSubsetting": True},
    failing={"enableL4IlbSubsetting": False},
)
def cluster_subsets_internal_load_balancers(cluster: Props) -> Iterator[str]:
    """Internal load balancers of a cluster lead to the nodes that they need."""
    nodes = number(cluster, "currentNodeCount")  # of a deployed cluster
    if nodes is not None and nodes <= _MOST_BACKENDS:
        return
    if not flag(cluster, "enableL4IlbSubsetting"):
        yield "enableL4IlbSubsetting is not true"
