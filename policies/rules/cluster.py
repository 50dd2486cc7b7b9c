"""Rules about the GKE cluster itself."""

from collections.abc import Iterator

from policies.rule import advisory, cis, google, mandatory
from policies.subjects import gcp
from policies.values import Props, block, entries, flag, text

CLUSTER = gcp("container/cluster:Cluster")


@mandatory(
    CLUSTER,
    layer="cluster",
    severity="high",
    why="A node with a public address can be reached, scanned and attacked from the internet.",
    fix="set private_cluster_config.enable_private_nodes (the cluster layer always does)",
    references=(
        cis("5.6.5"),
        google("Private clusters", "kubernetes-engine/docs/concepts/private-cluster-concept"),
    ),
    passing={"privateClusterConfig": {"enablePrivateNodes": True}},
    failing={"privateClusterConfig": {"enablePrivateNodes": False}},
)
def cluster_nodes_are_private(cluster: Props) -> Iterator[str]:
    """The nodes of a cluster have no public addresses."""
    if not flag(cluster, "privateClusterConfig", "enablePrivateNodes"):
        yield "privateClusterConfig.enablePrivateNodes is not true: nodes get public addresses"


@mandatory(
    CLUSTER,
    layer="cluster",
    severity="medium",
    why="Without a release channel the cluster is not upgraded and its version loses support.",
    fix="choose a channel (gke-cluster:cluster.release_channel)",
    references=(
        cis("5.5.4"),
        google("Release channels", "kubernetes-engine/docs/concepts/release-channels"),
    ),
    passing={"releaseChannel": {"channel": "REGULAR"}},
    failing={"releaseChannel": {"channel": "UNSPECIFIED"}},
)
def cluster_follows_a_release_channel(cluster: Props) -> Iterator[str]:
    """A cluster follows a release channel."""
    # Autopilot clusters are always on one.
    if flag(cluster, "enableAutopilot"):
        return
    channel = text(cluster, "releaseChannel", "channel")
    if channel.upper() in {"", "UNSPECIFIED"}:
        yield "releaseChannel.channel is not set"


@mandatory(
    CLUSTER,
    layer="cluster",
    severity="critical",
    why="Without workload identity, pods use their node's identity or keys stored in Secrets.",
    fix="set workload_identity_config.workload_pool (the cluster layer always does)",
    references=(
        cis("5.2.2"),
        google("Workload identity", "kubernetes-engine/docs/concepts/workload-identity"),
    ),
    passing={"workloadIdentityConfig": {"workloadPool": "acme-ml-dev.svc.id.goog"}},
    failing={"workloadIdentityConfig": {}},
)
def cluster_has_workload_identity(cluster: Props) -> Iterator[str]:
    """A cluster has workload identity."""
    if flag(cluster, "enableAutopilot"):
        return
    if not text(cluster, "workloadIdentityConfig", "workloadPool"):
        yield "workloadIdentityConfig.workloadPool is not set"


@mandatory(
    CLUSTER,
    layer="cluster",
    severity="high",
    why="Shielded nodes prove their identity; others can be impersonated to join the cluster.",
    fix="leave enable_shielded_nodes at true",
    references=(
        cis("5.5.5"),
        google("Shielded GKE nodes", "kubernetes-engine/docs/how-to/shielded-gke-nodes"),
    ),
    passing={"enableShieldedNodes": True},
    failing={"enableShieldedNodes": False},
)
def cluster_nodes_are_shielded(cluster: Props) -> Iterator[str]:
    """The nodes of a cluster are shielded."""
    if not flag(cluster, "enableShieldedNodes", default=True):
        yield "enableShieldedNodes is false"


@mandatory(
    CLUSTER,
    layer="cluster",
    severity="critical",
    why="Legacy authorization gives service accounts broad access regardless of RBAC.",
    fix="leave enable_legacy_abac at false",
    references=(
        cis("5.8.4"),
        google(
            "Legacy authorization",
            "kubernetes-engine/docs/how-to/hardening-your-cluster#leave_abac_disabled",
        ),
    ),
    passing={"enableLegacyAbac": False},
    failing={"enableLegacyAbac": True},
)
def cluster_refuses_legacy_authorization(cluster: Props) -> Iterator[str]:
    """A cluster authorizes with RBAC only."""
    if flag(cluster, "enableLegacyAbac"):
        yield "enableLegacyAbac is true"


@advisory(
    CLUSTER,
    layer="cluster",
    severity="medium",
    why="If any address can reach the API server, one leaked credential gives access to it.",
    fix="list the allowed networks (gke-cluster:cluster.authorized_networks)",
    references=(
        cis("5.6.3"),
        google("Authorized networks", "kubernetes-engine/docs/how-to/authorized-networks"),
    ),
    passing={
        "masterAuthorizedNetworksConfig": {
            "cidrBlocks": [{"displayName": "office", "cidrBlock": "203.0.113.0/24"}]
        }
    },
    failing={"masterAuthorizedNetworksConfig": {"cidrBlocks": [{"cidrBlock": "0.0.0.0/0"}]}},
)
def control_plane_is_reached_from_named_networks(cluster: Props) -> Iterator[str]:
    """The control plane of a cluster is reachable from listed networks only."""
    if flag(cluster, "privateClusterConfig", "enablePrivateEndpoint"):
        return
    endpoints = block(cluster, "controlPlaneEndpointsConfig", "ipEndpointsConfig")
    if not flag(endpoints, "enabled", default=True):
        return  # only the DNS-based endpoint is on, which IAM protects
    # An empty block admits no external network at all.
    config = block(cluster, "masterAuthorizedNetworksConfig")
    if cluster.get("masterAuthorizedNetworksConfig") is None:
        yield "masterAuthorizedNetworksConfig is not set: every network may connect"
    for network in entries(config, "cidrBlocks"):
        if text(network, "cidrBlock") in {"0.0.0.0/0", "::/0"}:
            yield f"masterAuthorizedNetworksConfig admits {network['cidrBlock']}"
