"""Rules about node auto-provisioning: its nodes meet the same requirements as other nodes."""

from collections.abc import Iterable, Iterator

from policies.rule import cis, google, mandatory
from policies.rules.cluster import CLUSTER
from policies.rules.node_pools import is_default_account
from policies.subjects import Resource
from policies.values import Props, block, entries, flag, number, text

_DOCS = google("Node auto-provisioning", "kubernetes-engine/docs/how-to/node-auto-provisioning")
_FIX = "complete cluster_autoscaling (gke-cluster:cluster.auto_provisioning sets all of it)"


def provisioning(resource: Resource) -> Iterable[Props]:
    """View a cluster as its auto-provisioning, if enabled. Not for Autopilot clusters."""
    scaling = block(resource.props, "clusterAutoscaling")
    if flag(scaling, "enabled") and not flag(resource.props, "enableAutopilot"):
        yield scaling


PROVISIONING = CLUSTER.with_view(provisioning)


def _cluster(**defaults: object) -> Props:
    limits = [{"resourceType": kind, "maximum": 64} for kind in ("cpu", "memory")]
    return {
        "clusterAutoscaling": {
            "enabled": True,
            "resourceLimits": limits,
            "autoProvisioningDefaults": defaults,
        }
    }


@mandatory(
    PROVISIONING,
    layer="cluster",
    severity="high",
    why="Without limits, only the quota bounds the size and the cost of auto-provisioned pools.",
    fix=_FIX,
    references=(_DOCS,),
    passing=_cluster(),
    failing={"clusterAutoscaling": {"enabled": True}},
)
def auto_provisioning_has_limits(scaling: Props) -> Iterator[str]:
    """Node auto-provisioning has CPU and memory limits."""
    found = {text(one, "resourceType"): one for one in entries(scaling, "resourceLimits")}
    for resource in ("cpu", "memory"):
        if not number(found.get(resource, {}), "maximum"):
            yield f"clusterAutoscaling.resourceLimits has no maximum for {resource}"


@mandatory(
    PROVISIONING,
    layer="cluster",
    severity="critical",
    why="The Compute Engine default service account is an editor of the whole project.",
    fix=_FIX,
    references=(cis("5.2.1"), _DOCS),
    passing=_cluster(serviceAccount="nap@acme-ml-dev.iam.gserviceaccount.com"),
    failing=_cluster(serviceAccount="default"),
)
def auto_provisioned_nodes_never_run_as_the_default_account(scaling: Props) -> Iterator[str]:
    """Auto-provisioned nodes run as a dedicated service account."""
    account = text(scaling, "autoProvisioningDefaults", "serviceAccount")
    if is_default_account(account):
        yield f"auto-provisioned nodes run as {account or 'the default service account'}"


@mandatory(
    PROVISIONING,
    layer="cluster",
    severity="medium",
    why="Auto-provisioned nodes need the same settings as nodes of declared pools.",
    fix=_FIX,
    references=(cis("5.5.1"), _DOCS),
    passing=_cluster(imageType="COS_CONTAINERD"),
    failing=_cluster(imageType="UBUNTU_CONTAINERD"),
)
def auto_provisioned_nodes_run_container_optimized_os(scaling: Props) -> Iterator[str]:
    """Auto-provisioned nodes run Container-Optimized OS."""
    image = text(scaling, "autoProvisioningDefaults", "imageType").upper()
    if image and image != "COS_CONTAINERD":
        yield f"auto-provisioned nodes run {image}"


@mandatory(
    PROVISIONING,
    layer="cluster",
    severity="medium",
    why="Auto-provisioned nodes need the same settings as nodes of declared pools.",
    fix=_FIX,
    references=(cis("5.5.6"), _DOCS),
    passing=_cluster(shieldedInstanceConfig={"enableIntegrityMonitoring": True}),
    failing=_cluster(shieldedInstanceConfig={"enableIntegrityMonitoring": False}),
)
def auto_provisioned_nodes_watch_their_integrity(scaling: Props) -> Iterator[str]:
    """Auto-provisioned nodes have integrity monitoring."""
    shielded = block(scaling, "autoProvisioningDefaults", "shieldedInstanceConfig")
    if not flag(shielded, "enableIntegrityMonitoring", default=True):
        yield "auto-provisioned nodes have integrity monitoring off"


@mandatory(
    PROVISIONING,
    layer="cluster",
    severity="medium",
    why="Auto-provisioned nodes need the same settings as nodes of declared pools.",
    fix=_FIX,
    references=(cis("5.5.2"), cis("5.5.3"), _DOCS),
    passing=_cluster(management={"autoRepair": True, "autoUpgrade": True}),
    failing=_cluster(management={"autoRepair": True, "autoUpgrade": False}),
)
def auto_provisioned_nodes_are_managed(scaling: Props) -> Iterator[str]:
    """Auto-provisioned nodes have auto-repair and auto-upgrade."""
    management = block(scaling, "autoProvisioningDefaults", "management")
    for key in ("autoRepair", "autoUpgrade"):
        if not flag(management, key, default=True):
            yield f"auto-provisioned nodes have management.{key} off"
