"""Rules about what protects the workloads of a cluster, and their secrets."""

from collections.abc import Iterator

from policies.rule import advisory, cis, google, mandatory
from policies.rules.cluster import CLUSTER
from policies.values import Props, block, flag, text

_HARDEN = "kubernetes-engine/docs/how-to/hardening-your-cluster"


@advisory(
    CLUSTER,
    layer="cluster",
    severity="medium",
    why="With a key of one's own, a copy of the control plane's disk shows no Secret, and access "
    "can be taken back.",
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
    """A cluster encrypts Secrets with a key of Cloud KMS."""
    state = text(cluster, "databaseEncryption", "state")
    if state not in {"ENCRYPTED", "ALL_OBJECTS_ENCRYPTION_ENABLED"}:
        yield f"databaseEncryption.state is {state or 'not set'}"


@advisory(
    CLUSTER,
    layer="cluster",
    severity="medium",
    why="Without it any image runs that anybody with rights on a namespace names.",
    fix="set gke-cluster:cluster.binary_authorization",
    references=(
        cis("5.10.5"),
        google("Binary authorization", "binary-authorization/docs/setting-up"),
    ),
    passing={"binaryAuthorization": {"evaluationMode": "PROJECT_SINGLETON_POLICY_ENFORCE"}},
    failing={"binaryAuthorization": {"evaluationMode": "DISABLED"}},
)
def cluster_authorizes_binaries(cluster: Props) -> Iterator[str]:
    """A cluster admits images by a policy of Binary Authorization."""
    settings = block(cluster, "binaryAuthorization")
    mode = text(settings, "evaluationMode")
    is_off = mode in {"", "DISABLED", "EVALUATION_MODE_UNSPECIFIED"}
    if is_off and not flag(settings, "enabled"):
        yield f"binaryAuthorization.evaluationMode is {mode or 'not set'}"


@mandatory(
    CLUSTER,
    layer="cluster",
    severity="high",
    why="Without either, network policies are accepted and do nothing.",
    fix="keep Dataplane V2 (the cluster layer's default), or enable network_policy",
    references=(
        cis("5.6.7"),
        google("Dataplane V2", "kubernetes-engine/docs/concepts/dataplane-v2"),
    ),
    passing={"datapathProvider": "ADVANCED_DATAPATH"},
    failing={"datapathProvider": "LEGACY_DATAPATH"},
)
def cluster_enforces_network_policies(cluster: Props) -> Iterator[str]:
    """A cluster enforces network policies, by Dataplane V2 or by Calico."""
    if text(cluster, "datapathProvider") == "ADVANCED_DATAPATH" or flag(cluster, "enableAutopilot"):
        return
    if not flag(cluster, "networkPolicy", "enabled"):
        yield "datapathProvider is not ADVANCED_DATAPATH and networkPolicy is not enabled"
    elif flag(cluster, "addonsConfig", "networkPolicyConfig", "disabled"):
        yield "addonsConfig.networkPolicyConfig is disabled, so networkPolicy does nothing"


@mandatory(
    CLUSTER,
    layer="cluster",
    severity="high",
    why="An alpha cluster has no service level, cannot be upgraded and is deleted after 30 days.",
    fix="remove enable_kubernetes_alpha",
    references=(
        cis("5.10.2"),
        google("Alpha clusters", "kubernetes-engine/docs/concepts/alpha-clusters"),
    ),
    passing={"enableKubernetesAlpha": False},
    failing={"enableKubernetesAlpha": True},
)
def cluster_runs_no_alpha_features(cluster: Props) -> Iterator[str]:
    """A cluster has no alpha features of Kubernetes."""
    if flag(cluster, "enableKubernetesAlpha"):
        yield "enableKubernetesAlpha is true"


@mandatory(
    CLUSTER,
    layer="cluster",
    severity="medium",
    why="Without alias ranges pods have no addresses of the network: network endpoint groups, "
    "private access to Google and many more features need them.",
    fix="set networking_mode to VPC_NATIVE with secondary ranges (the cluster layer does)",
    references=(
        cis("5.6.2"),
        google("VPC-native clusters", "kubernetes-engine/docs/concepts/alias-ips"),
    ),
    passing={"ipAllocationPolicy": {"clusterSecondaryRangeName": "pods"}},
    failing={"networkingMode": "ROUTES"},
)
def cluster_is_vpc_native(cluster: Props) -> Iterator[str]:
    """A cluster's pods have addresses of the network."""
    mode = text(cluster, "networkingMode")
    policy = cluster.get("ipAllocationPolicy")
    if mode == "VPC_NATIVE" or flag(cluster, "enableAutopilot"):
        return
    # Without a mode, an allocation policy of whatever content makes the cluster VPC-native.
    is_native = isinstance(policy, dict) and flag(policy, "useIpAliases", default=True)
    if mode == "ROUTES" or not is_native:
        yield f"networkingMode is {mode or 'not set'}, without ipAllocationPolicy"


@advisory(
    CLUSTER,
    layer="cluster",
    severity="low",
    why="Traffic between pods of one node is seen neither by flow logs nor by firewall rules.",
    fix="set gke-cluster:cluster.intranode_visibility",
    references=(
        cis("5.6.1"),
        google("Intranode visibility", "kubernetes-engine/docs/how-to/intranode-visibility"),
    ),
    passing={"enableIntranodeVisibility": True},
    failing={"enableIntranodeVisibility": False},
)
def cluster_shows_traffic_inside_nodes(cluster: Props) -> Iterator[str]:
    """The network sees traffic between pods of the same node."""
    is_advanced = text(cluster, "datapathProvider") == "ADVANCED_DATAPATH"
    # Dataplane V2 enforces policies inside a node, and cannot do without the visibility for it.
    if not flag(cluster, "enableIntranodeVisibility", default=is_advanced):
        yield "enableIntranodeVisibility is not true"


@advisory(
    CLUSTER,
    layer="cluster",
    severity="low",
    why="The dashboard finds workloads with known weaknesses, and says which.",
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
    """A cluster is watched by the security posture dashboard."""
    mode = text(cluster, "securityPostureConfig", "mode")
    if mode not in {"BASIC", "ENTERPRISE"}:
        yield f"securityPostureConfig.mode is {mode or 'not set'}"


@advisory(
    CLUSTER,
    layer="cluster",
    severity="low",
    why="An image that was sound when it was built has known weaknesses a month later.",
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
    """A cluster's running images are scanned for known weaknesses."""
    mode = text(cluster, "securityPostureConfig", "vulnerabilityMode")
    if mode not in {"VULNERABILITY_BASIC", "VULNERABILITY_ENTERPRISE"}:
        yield f"securityPostureConfig.vulnerabilityMode is {mode or 'not set'}"
