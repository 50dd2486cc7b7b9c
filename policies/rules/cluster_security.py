"""Rules about the security features of a cluster."""

from collections.abc import Iterator

from policies.rule import advisory, cis, google, mandatory
from policies.rules.cluster import CLUSTER
from policies.values import Props, block, flag, text


@advisory(
    CLUSTER,
    layer="cluster",
    severity="medium",
    why="With a customer-managed key, a copy of the control plane's disk reveals no Secrets, and "
    "access can be revoked.",
    fix="set gke-cluster:cluster.secrets_encryption",
    references=(
        cis("5.3.1"),
        google(
            "Application-layer secrets encryption",
            "kubernetes-engine/docs/how-to/encrypting-secrets",
        ),
    ),
    passing={
        "databaseEncryption": {
            "state": "ENCRYPTED",
            "keyName": "projects/p/locations/l/keyRings/r/cryptoKeys/k",
        }
    },
    failing={"databaseEncryption": {"state": "DECRYPTED"}},
)
def cluster_encrypts_secrets(cluster: Props) -> Iterator[str]:
    """A cluster encrypts Secrets with a Cloud KMS key."""
    state = text(cluster, "databaseEncryption", "state")
    if state not in {"ENCRYPTED", "ALL_OBJECTS_ENCRYPTION_ENABLED"}:
        yield f"databaseEncryption.state is {state or 'not set'}"


@advisory(
    CLUSTER,
    layer="cluster",
    severity="medium",
    why="Without Binary Authorization, anyone who can create pods can run any image.",
    fix="set gke-cluster:cluster.binary_authorization",
    references=(
        cis("5.10.5"),
        google("Binary authorization", "binary-authorization/docs/setting-up"),
    ),
    passing={"binaryAuthorization": {"evaluationMode": "PROJECT_SINGLETON_POLICY_ENFORCE"}},
    failing={"binaryAuthorization": {"evaluationMode": "DISABLED"}},
)
def cluster_authorizes_binaries(cluster: Props) -> Iterator[str]:
    """A cluster enforces a Binary Authorization policy."""
    settings = block(cluster, "binaryAuthorization")
    mode = text(settings, "evaluationMode")
    is_off = mode in {"", "DISABLED", "EVALUATION_MODE_UNSPECIFIED"}
    if is_off and not flag(settings, "enabled"):
        yield f"binaryAuthorization.evaluationMode is {mode or 'not set'}"


@mandatory(
    CLUSTER,
    layer="cluster",
    severity="high",
    why="Without Dataplane V2 or Calico, network policies are accepted but not enforced.",
    fix="keep Dataplane V2 (the cluster layer's default), or enable network_policy",
    references=(
        cis("5.6.7"),
        google("Dataplane V2", "kubernetes-engine/docs/concepts/dataplane-v2"),
    ),
    passing={"datapathProvider": "ADVANCED_DATAPATH"},
    failing={"datapathProvider": "LEGACY_DATAPATH"},
)
def cluster_enforces_network_policies(cluster: Props) -> Iterator[str]:
    """A cluster enforces network policies with Dataplane V2 or Calico."""
    if text(cluster, "datapathProvider") == "ADVANCED_DATAPATH" or flag(cluster, "enableAutopilot"):
        return
    if not flag(cluster, "networkPolicy", "enabled"):
        yield "datapathProvider is not ADVANCED_DATAPATH and networkPolicy is not enabled"
    elif flag(cluster, "addonsConfig", "networkPolicyConfig", "disabled"):
        yield "addonsConfig.networkPolicyConfig is disabled, so networkPolicy has no effect"


@mandatory(
    CLUSTER,
    layer="cluster",
    severity="high",
    why="An alpha cluster has no SLA, cannot be upgraded and is deleted after 30 days.",
    fix="remove enable_kubernetes_alpha",
    references=(
        cis("5.10.2"),
        google("Alpha clusters", "kubernetes-engine/docs/concepts/alpha-clusters"),
    ),
    passing={"enableKubernetesAlpha": False},
    failing={"enableKubernetesAlpha": True},
)
def cluster_runs_no_alpha_features(cluster: Props) -> Iterator[str]:
    """A cluster has no Kubernetes alpha features."""
    if flag(cluster, "enableKubernetesAlpha"):
        yield "enableKubernetesAlpha is true"


@mandatory(
    CLUSTER,
    layer="cluster",
    severity="medium",
    why="Network endpoint groups, Private Google Access and other features need VPC-native pod "
    "addresses (alias IP ranges).",
    fix="set networking_mode to VPC_NATIVE with secondary ranges (the cluster layer does)",
    references=(
        cis("5.6.2"),
        google("VPC-native clusters", "kubernetes-engine/docs/concepts/alias-ips"),
    ),
    passing={"ipAllocationPolicy": {"clusterSecondaryRangeName": "pods"}},
    failing={"networkingMode": "ROUTES"},
)
def cluster_is_vpc_native(cluster: Props) -> Iterator[str]:
    """A cluster is VPC-native: its pods have VPC addresses."""
    mode = text(cluster, "networkingMode")
    policy = cluster.get("ipAllocationPolicy")
    if mode == "VPC_NATIVE" or flag(cluster, "enableAutopilot"):
        return
    # Without a mode, any ipAllocationPolicy makes the cluster VPC-native.
    is_native = isinstance(policy, dict) and flag(policy, "useIpAliases", default=True)
    if mode == "ROUTES" or not is_native:
        yield f"networkingMode is {mode or 'not set'}, without ipAllocationPolicy"


@advisory(
    CLUSTER,
    layer="cluster",
    severity="low",
    why="Without it, flow logs and firewall rules miss traffic between pods on the same node.",
    fix="set gke-cluster:cluster.intranode_visibility",
    references=(
        cis("5.6.1"),
        google("Intranode visibility", "kubernetes-engine/docs/how-to/intranode-visibility"),
    ),
    passing={"enableIntranodeVisibility": True},
    failing={"enableIntranodeVisibility": False},
)
def cluster_shows_traffic_inside_nodes(cluster: Props) -> Iterator[str]:
    """A cluster has intranode visibility."""
    is_advanced = text(cluster, "datapathProvider") == "ADVANCED_DATAPATH"
    # Dataplane V2 always has intranode visibility.
    if not flag(cluster, "enableIntranodeVisibility", default=is_advanced):
        yield "enableIntranodeVisibility is not true"


@advisory(
    CLUSTER,
    layer="cluster",
    severity="low",
    why="The dashboard lists workloads with known misconfigurations.",
    fix="set gke-cluster:cluster.security_posture",
    references=(
        cis("5.10.6"),
        google(
            "Security posture dashboard",
            "kubernetes-engine/docs/concepts/about-security-posture-dashboard",
        ),
    ),
    passing={"securityPostureConfig": {"mode": "BASIC"}},
    failing={"securityPostureConfig": {"mode": "DISABLED"}},
)
def cluster_reports_its_security_posture(cluster: Props) -> Iterator[str]:
    """A cluster reports to the security posture dashboard."""
    mode = text(cluster, "securityPostureConfig", "mode")
    if mode not in {"BASIC", "ENTERPRISE"}:
        yield f"securityPostureConfig.mode is {mode or 'not set'}"


@advisory(
    CLUSTER,
    layer="cluster",
    severity="low",
    why="New vulnerabilities are found in an image after it was built.",
    fix="set gke-cluster:cluster.vulnerability_scanning, or scan in the registry",
    references=(
        cis("5.1.1"),
        google(
            "Workload vulnerability scanning",
            "kubernetes-engine/docs/concepts/about-workload-vulnerability-scanning",
        ),
    ),
    passing={"securityPostureConfig": {"vulnerabilityMode": "VULNERABILITY_BASIC"}},
    failing={"securityPostureConfig": {"vulnerabilityMode": "VULNERABILITY_DISABLED"}},
)
def cluster_scans_running_images(cluster: Props) -> Iterator[str]:
    """A cluster scans running images for known vulnerabilities."""
    mode = text(cluster, "securityPostureConfig", "vulnerabilityMode")
    if mode not in {"VULNERABILITY_BASIC", "VULNERABILITY_ENTERPRISE"}:
        yield f"securityPostureConfig.vulnerabilityMode is {mode or 'not set'}"
