"""Rules about node pools, including a cluster's default pool."""

from collections.abc import Iterable, Iterator

from policies.rule import cis, google, mandatory
from policies.rules.cluster import CLUSTER
from policies.subjects import Resource, Selector, gcp
from policies.values import Props, block, entries, flag, number, text

NODE_POOL = gcp("container/nodePool:NodePool")
_DEFAULT_ACCOUNT = "-compute@developer.gserviceaccount.com"


def is_default_account(account: str) -> bool:
    """Whether nodes with this account run as the default one of Compute Engine."""
    return account in {"", "default"} or account.endswith(_DEFAULT_ACCOUNT)


def pools(resource: Resource) -> Iterable[Props]:
    """View a node pool as itself, or a cluster as the pools in its own properties."""
    props = resource.props
    if not CLUSTER.matches(resource.type):
        yield props
        return
    yield from entries(props, "nodePools")
    # A cluster keeps its default pool unless removed; Autopilot has no own pools.
    has_default = not flag(props, "removeDefaultNodePool") and not entries(props, "nodePools")
    if has_default and not flag(props, "enableAutopilot"):
        yield {"name": "default-pool", "nodeConfig": block(props, "nodeConfig")}


_BOTH = NODE_POOL | CLUSTER
POOLS = Selector(_BOTH.matches, _BOTH.example, _BOTH.types, pools)


@mandatory(
    POOLS,
    layer="cluster",
    severity="critical",
    why="The Compute Engine default service account is an editor of the whole project.",
    fix="use a dedicated service account (the cluster layer creates one per pool)",
    references=(
        cis("5.2.1"),
        google(
            "Least-privilege service accounts",
            "kubernetes-engine/docs/how-to/hardening-your-cluster#use_least_privilege_sa",
        ),
    ),
    passing={"nodeConfig": {"serviceAccount": "general@acme-ml-dev.iam.gserviceaccount.com"}},
    failing={"nodeConfig": {"serviceAccount": "default"}},
)
def nodes_never_run_as_the_default_account(pool: Props) -> Iterator[str]:
    """Nodes run as a dedicated service account, never as the default one."""
    account = text(pool, "nodeConfig", "serviceAccount")
    if is_default_account(account):
        yield f"{describe_pool(pool)} runs as {account or 'the default service account'}"


@mandatory(
    POOLS,
    layer="cluster",
    severity="high",
    why="Without the GKE metadata server, pods can get the node's credentials from the metadata "
    "server.",
    fix="set node_config.workload_metadata_config.mode to GKE_METADATA",
    references=(
        cis("5.4.2"),
        google("Metadata server", "kubernetes-engine/docs/concepts/workload-identity"),
    ),
    passing={"nodeConfig": {"workloadMetadataConfig": {"mode": "GKE_METADATA"}}},
    failing={"nodeConfig": {"workloadMetadataConfig": {"mode": "GCE_METADATA"}}},
)
def nodes_hide_their_metadata(pool: Props) -> Iterator[str]:
    """Nodes use the GKE metadata server."""
    mode = text(pool, "nodeConfig", "workloadMetadataConfig", "mode")
    if mode != "GKE_METADATA":
        yield f"{describe_pool(pool)} has workloadMetadataConfig.mode {mode or 'unset'}"


@mandatory(
    NODE_POOL,
    layer="cluster",
    severity="medium",
    why="Without a maximum, one runaway workload causes unbounded cost.",
    fix="set a maximum (gke-cluster:node_pools[].max_nodes)",
    references=(
        google("Cluster autoscaler", "kubernetes-engine/docs/concepts/cluster-autoscaler"),
    ),
    passing={"autoscaling": {"minNodeCount": 0, "maxNodeCount": 5}},
    failing={"autoscaling": {"minNodeCount": 0}},
)
def node_pool_autoscaling_is_bounded(pool: Props) -> Iterator[str]:
    """A node pool's autoscaling has a maximum."""
    scaling = block(pool, "autoscaling")
    if not scaling:
        if number(pool, "nodeCount") is None:
            yield "neither autoscaling nor nodeCount is set"
        return
    for max_key, min_key in (
        ("maxNodeCount", "minNodeCount"),
        ("totalMaxNodeCount", "totalMinNodeCount"),
    ):
        maximum, minimum = number(scaling, max_key), number(scaling, min_key)
        if maximum is not None:
            if maximum < max(minimum or 0, 1):
                yield f"autoscaling.{max_key} {maximum:g} is below {min_key} or below 1"
            return
    yield "autoscaling.maxNodeCount is not set"


@mandatory(
    NODE_POOL,
    layer="cluster",
    severity="medium",
    why="Without auto-repair, a node that fails its health checks keeps its pods until it is "
    "replaced by hand.",
    fix="set management.auto_repair",
    references=(
        cis("5.5.2"),
        google("Node auto-repair", "kubernetes-engine/docs/how-to/node-auto-repair"),
    ),
    passing=(
        Resource(NODE_POOL.example, {"management": {"autoRepair": True}}, "kept"),
        Resource(
            NODE_POOL.example,
            {"management": {"autoRepair": False}, "nodeConfig": {"flexStart": True}},
            "flex-start",
        ),
        Resource(
            NODE_POOL.example,
            {"management": {"autoRepair": False}, "queuedProvisioning": {"enabled": True}},
            "queued",
        ),
    ),
    failing={"management": {"autoRepair": False}},
)
def node_pool_repairs_itself(pool: Props) -> Iterator[str]:
    """A node pool has auto-repair."""
    # GKE rejects auto-repair for flex-start and queued provisioning.
    is_flex = flag(pool, "nodeConfig", "flexStart")
    if is_flex or flag(pool, "queuedProvisioning", "enabled"):
        return
    if not flag(pool, "management", "autoRepair"):
        yield "management.autoRepair is not true"


@mandatory(
    NODE_POOL,
    layer="cluster",
    severity="medium",
    why="Nodes that are not upgraded miss security patches and fall behind the control plane.",
    fix="set management.auto_upgrade",
    references=(
        cis("5.5.3"),
        google("Node auto-upgrades", "kubernetes-engine/docs/how-to/node-auto-upgrades"),
    ),
    passing={"management": {"autoUpgrade": True}},
    failing={"management": {}},
)
def node_pool_upgrades_itself(pool: Props) -> Iterator[str]:
    """A node pool has auto-upgrade."""
    if not flag(pool, "management", "autoUpgrade"):
        yield "management.autoUpgrade is not true"


@mandatory(
    POOLS,
    layer="cluster",
    severity="medium",
    why="Secure Boot rejects unsigned kernels and boot loaders, such as rootkits.",
    fix="set node_config.shielded_instance_config.enable_secure_boot",
    references=(
        cis("5.5.7"),
        google("Secure boot", "kubernetes-engine/docs/how-to/shielded-gke-nodes#secure_boot"),
    ),
    passing={"nodeConfig": {"shieldedInstanceConfig": {"enableSecureBoot": True}}},
    failing=(Resource("gcp:container/cluster:Cluster", {"removeDefaultNodePool": False}),),
)
def nodes_boot_securely(pool: Props) -> Iterator[str]:
    """Nodes have Secure Boot."""
    if not flag(pool, "nodeConfig", "shieldedInstanceConfig", "enableSecureBoot"):
        yield f"{describe_pool(pool)} has shieldedInstanceConfig.enableSecureBoot unset or false"


def describe_pool(pool: Props) -> str:
    """Return a pool's description for messages."""
    # The name may be unknown before the update; the rule must not depend on it.
    name = dict.get(pool, "name")
    return f'pool "{name}"' if isinstance(name, str) else "the pool"
