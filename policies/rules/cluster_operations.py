"""Rules about operating a cluster: observability, maintenance, backup, deletion protection."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from gkeplatform.config import Settings
from policies.rule import Stack, advisory, cis, google, mandatory
from policies.rules.cluster import CLUSTER
from policies.subjects import Resource, gcp, resource_view
from policies.values import NotApplicableError, Props, block, flag, number, text, texts

BACKUP_PLANS = gcp("gkebackup/backupPlan:BackupPlan")
_GKE = "kubernetes-engine/docs/"
_MAX_BACKENDS = 250


class Components(Settings):
    """Components whose logs and metrics are required."""

    logs: Annotated[
        tuple[str, ...], Meta(description="Components whose logs must be collected.")
    ] = ("SYSTEM_COMPONENTS", "WORKLOADS")
    metrics: Annotated[
        tuple[str, ...], Meta(description="Components whose metrics must be collected.")
    ] = ("SYSTEM_COMPONENTS",)


def _observability(*logs: str) -> Props:
    return {
        "loggingConfig": {"enableComponents": list(logs)},
        "monitoringConfig": {"enableComponents": ["SYSTEM_COMPONENTS"]},
    }


@mandatory(
    CLUSTER,
    layer="cluster",
    severity="medium",
    why="Without logs and metrics, incidents cannot be investigated.",
    fix="keep them on (gke-cluster:cluster.logs and gke-cluster:cluster.metrics)",
    references=(cis("5.7.1"), google("GKE observability", _GKE + "concepts/observability")),
    passing=_observability("SYSTEM_COMPONENTS", "WORKLOADS"),
    failing=_observability(),
)
def cluster_exports_logs_and_metrics(cluster: Props, given: Components) -> Iterator[str]:
    """A cluster sends logs to Cloud Logging and metrics to Cloud Monitoring."""
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
        # Unset means Google's default, unless a service is set: system components and workloads.


@advisory(
    CLUSTER,
    layer="cluster",
    severity="low",
    why="Managed Prometheus collects the model servers' own metrics; autoscaling on them needs it.",
    fix="set gke-cluster:cluster.managed_prometheus",
    references=(google("Managed Service for Prometheus", "stackdriver/docs/managed-prometheus"),),
    passing={"monitoringConfig": {"managedPrometheus": {"enabled": True}}},
    failing={"monitoringConfig": {"managedPrometheus": {"enabled": False}}},
)
def cluster_collects_prometheus_metrics(cluster: Props) -> Iterator[str]:
    """A cluster has Managed Service for Prometheus."""
    if not flag(cluster, "monitoringConfig", "managedPrometheus", "enabled"):
        yield "monitoringConfig.managedPrometheus.enabled is not true"


@advisory(
    CLUSTER,
    layer="cluster",
    severity="medium",
    why="Without a maintenance window, upgrades may happen at the busiest hour.",
    fix="set gke-cluster:cluster.maintenance",
    references=(
        google("Maintenance windows", _GKE + "concepts/maintenance-windows-and-exclusions"),
    ),
    passing={"maintenancePolicy": {"dailyMaintenanceWindow": {"startTime": "03:00"}}},
    failing={"name": "main"},
)
def cluster_has_a_maintenance_window(cluster: Props) -> Iterator[str]:
    """A cluster has a maintenance window."""
    policy = block(cluster, "maintenancePolicy")
    if not any(block(policy, key) for key in ("dailyMaintenanceWindow", "recurringWindow")):
        yield "maintenancePolicy has no window"


@advisory(
    CLUSTER,
    layer="cluster",
    severity="high",
    why="Without deletion protection, a mistake in a program can delete the cluster.",
    fix="set gke-cluster:cluster.deletion_protection",
    references=(google("Deleting a cluster", _GKE + "how-to/deleting-a-cluster"),),
    passing={"deletionProtection": True},
    failing={"deletionProtection": False},
)
def cluster_is_protected_from_deletion(cluster: Props) -> Iterator[str]:
    """A cluster has deletion protection."""
    # On by default in the provider. It is a provider setting that the API does not return.
    if not flag(cluster, "deletionProtection", default=True):
        yield "deletionProtection is false"


@advisory(
    CLUSTER,
    layer="cluster",
    severity="medium",
    why="A zonal control plane is unavailable during upgrades and when its zone fails.",
    fix="remove gke-cluster:cluster.control_plane_zone",
    references=(google("Regional clusters", _GKE + "concepts/regional-clusters"),),
    passing={"location": "europe-west4"},
    failing={"location": "europe-west4-a"},
)
def cluster_is_regional(cluster: Props) -> Iterator[str]:
    """A cluster has a regional control plane."""
    location = text(cluster, "location") or text(cluster, "zone")
    if location.count("-") > 1:
        yield f"location {location} is a zone"


@advisory(
    CLUSTER,
    layer="cluster",
    severity="low",
    why="Without cost allocation, a bill shows nodes but no teams or models.",
    fix="set gke-cluster:cluster.cost_allocation",
    references=(google("Cost allocation", _GKE + "how-to/cost-allocations"),),
    passing={"costManagementConfig": {"enabled": True}},
    failing={"name": "main"},
)
def cluster_allocates_its_cost(cluster: Props) -> Iterator[str]:
    """A cluster has cost allocation by namespace and label."""
    if not flag(cluster, "costManagementConfig", "enabled"):
        yield "costManagementConfig.enabled is not true"


@advisory(
    CLUSTER.with_view(resource_view),
    layer="cluster",
    severity="medium",
    why="Data that exists only in the cluster, such as a database's volume, is lost with it.",
    fix="set gke-cluster:cluster.backup",
    references=(google("Backup for GKE", _GKE + "add-on/backup-for-gke/concepts/backup-for-gke"),),
    passing=(
        Resource("gcp:container/cluster:Cluster", {"name": "main"}, "main"),
        Resource("gcp:gkebackup/backupPlan:BackupPlan", {"cluster": "main"}, "main"),
    ),
    failing=(Resource("gcp:container/cluster:Cluster", {"name": "main"}, "main"),),
)
def cluster_has_a_backup_plan(cluster: Resource, stack: Stack) -> Iterator[str]:
    """A cluster has a Backup for GKE plan."""
    if stack.of(BACKUP_PLANS):
        return
    if cluster.origin == "api":
        raise NotApplicableError("backup plans are in another API than clusters")
    yield "no BackupPlan is declared"


@advisory(
    CLUSTER,
    layer="cluster",
    severity="low",
    why="Without notifications, upgrades and security bulletins go unnoticed.",
    fix="set gke-cluster:cluster.notifications",
    references=(google("Cluster notifications", _GKE + "concepts/cluster-notifications"),),
    passing={"notificationConfig": {"pubsub": {"enabled": True, "topic": "projects/p/topics/t"}}},
    failing={"name": "main"},
)
def cluster_announces_upgrades(cluster: Props) -> Iterator[str]:
    """A cluster publishes notifications of upgrades and security bulletins."""
    if not flag(cluster, "notificationConfig", "pubsub", "enabled"):
        yield "notificationConfig.pubsub.enabled is not true"


@advisory(
    CLUSTER,
    layer="cluster",
    severity="low",
    why="Without the cache every DNS query goes to a few kube-dns pods, which are slow under load.",
    fix="set gke-cluster:cluster.dns_cache",
    references=(google("NodeLocal DNSCache", _GKE + "how-to/nodelocal-dns-cache"),),
    passing={"addonsConfig": {"dnsCacheConfig": {"enabled": True}}},
    failing={"addonsConfig": {}},
)
def cluster_caches_dns_on_nodes(cluster: Props) -> Iterator[str]:
    """A cluster caches DNS on its nodes."""
    # Cloud DNS is served on each node.
    if text(cluster, "dnsConfig", "clusterDns") == "CLOUD_DNS" or flag(cluster, "enableAutopilot"):
        return
    if not flag(cluster, "addonsConfig", "dnsCacheConfig", "enabled"):
        yield "addonsConfig.dnsCacheConfig.enabled is not true"


@mandatory(
    CLUSTER,
    layer="cluster",
    severity="medium",
    why="Without the driver no persistent volume is provisioned, and databases stay pending.",
    fix="keep addons_config.gce_persistent_disk_csi_driver_config on",
    references=(
        google("Persistent disk CSI driver", _GKE + "how-to/persistent-volumes/gce-pd-csi-driver"),
    ),
    passing={"addonsConfig": {"gcePersistentDiskCsiDriverConfig": {"enabled": True}}},
    failing={"addonsConfig": {"gcePersistentDiskCsiDriverConfig": {"enabled": False}}},
)
def cluster_has_the_disk_driver(cluster: Props) -> Iterator[str]:
    """A cluster has the Compute Engine persistent disk CSI driver."""
    # On by default in all supported GKE versions.
    driver = block(cluster, "addonsConfig", "gcePersistentDiskCsiDriverConfig")
    if not flag(driver, "enabled", default=True):
        yield "addonsConfig.gcePersistentDiskCsiDriverConfig.enabled is false"


@advisory(
    CLUSTER,
    layer="cluster",
    severity="low",
    why="Without subsetting every node is a backend of every internal load balancer, up to 250; "
    "further nodes get no traffic.",
    fix="set gke-cluster:cluster.internal_load_balancer_subsetting",
    references=(google("Internal load balancers", _GKE + "how-to/internal-load-balancing"),),
    passing={"enableL4IlbSubsetting": True},
    failing={"enableL4IlbSubsetting": False},
)
def cluster_subsets_internal_load_balancers(cluster: Props) -> Iterator[str]:
    """A cluster uses subsetting for internal load balancers."""
    nodes = number(cluster, "currentNodeCount")  # known for deployed clusters only
    if nodes is not None and nodes <= _MAX_BACKENDS:
        return
    if not flag(cluster, "enableL4IlbSubsetting"):
        yield "enableL4IlbSubsetting is not true"
