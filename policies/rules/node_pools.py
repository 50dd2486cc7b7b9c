"""Rules about node pools, and about the nodes that a cluster makes without one."""

from collections.abc import Iterable, Iterator

from policies.rule import cis, google, mandatory
from policies.rules.cluster import CLUSTER
from policies.subjects import Resource, Selector, gcp
from policies.values import Props, block, entries, flag, number, text

NODE_POOL = gcp("container/nodePool:NodePool")
DEFAULT_ACCOUNT = "-compute@developer.gserviceaccount.com"


def pools(resource: Resource) -> Iterable[Props]:
    """The node pools that a resource makes: itself, or those inside a cluster's own properties."""
    props = resource.props
    if not CLUSTER.matches(resource.type):
        yield props
        return
    yield from entries(props, "nodePools")
    # A cluster keeps its default pool unless told otherwise; Autopilot has none of its own.
    is_kept = not flag(props, "removeDefaultNodePool") and not entries(props, "nodePools")
    if is_kept and not flag(props, "enableAutopilot"):
        yield {"name": "default-pool", "nodeConfig": block(props, "nodeConfig")}


_BOTH = NODE_POOL | CLUSTER
POOLS = Selector(_BOTH.matches, _BOTH.example, _BOTH.types, pools)


@mandatory(
    POOLS,
    layer="cluster",
    severity="critical",
    why="The default service account of Compute Engine is an editor of the whole project.",
    fix="give the pool a service account of its own (the cluster layer makes one a pool)",
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
    """Nodes run as a service account made for them, never as the default one."""
    account = text(pool, "nodeConfig", "serviceAccount")
    if account in {"", "default"} or account.endswith(DEFAULT_ACCOUNT):
        yield f"{spoken(pool)} runs as {account or 'the default service account'}"


@mandatory(
    POOLS,
    layer="cluster",
    severity="high",
    why="On a node without it, a pod can ask the metadata server for the node's own credentials.",
    fix="set node_config.workload_metadata_config.mode to GKE_METADATA",
    references=(
        cis("5.4.2"),
        google("Metadata server", "kubernetes-engine/docs/concepts/workload-identity"),
    ),
    passing={"nodeConfig": {"workloadMetadataConfig": {"mode": "GKE_METADATA"}}},
    failing={"nodeConfig": {"workloadMetadataConfig": {"mode": "GCE_METADATA"}}},
)
def nodes_hide_their_metadata(pool: Props) -> Iterator[str]:
    """Nodes answer pods through the GKE metadata server."""
    mode = text(pool, "nodeConfig", "workloadMetadataConfig", "mode")
    if mode != "GKE_METADATA":
        yield f"{spoken(pool)} has workloadMetadataConfig.mode {mode or 'unset'}"


@mandatory(
    NODE_POOL,
    layer="cluster",
    severity="medium",
    why="Autoscaling without a ceiling turns one runaway workload into an unbounded bill.",
    fix="set the pool's ceiling (gke-cluster:node_pools[].max_nodes)",
    references=(
        google("Cluster autoscaler", "kubernetes-engine/docs/concepts/cluster-autoscaler"),
    ),
    passing={"autoscaling": {"minNodeCount": 0, "maxNodeCount": 5}},
    failing={"autoscaling": {"minNodeCount": 0}},
)
def node_pool_autoscaling_is_bounded(pool: Props) -> Iterator[str]:
    """A node pool states an upper limit to its autoscaling."""
    scaling = block(pool, "autoscaling")
    if not scaling:
        if number(pool, "nodeCount") is None:
            yield "neither autoscaling nor nodeCount says how large the pool may grow"
        return
    for most, least in (
        ("maxNodeCount", "minNodeCount"),
        ("totalMaxNodeCount", "totalMinNodeCount"),
    ):
        ceiling, floor = number(scaling, most), number(scaling, least)
        if ceiling is not None:
            if ceiling < max(floor or 0, 1):
                yield f"autoscaling.{most} {ceiling:g} is below {least} or below 1"
            return
    yield "autoscaling.maxNodeCount is not set"


@mandatory(
    NODE_POOL,
    layer="cluster",
    severity="medium",
    why="A node that fails its health checks keeps its pods until somebody replaces it.",
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
    """A node pool replaces nodes that fail their health checks."""
    # GKE refuses repairs of nodes that come only when there are some.
    is_flex = flag(pool, "nodeConfig", "flexStart")
    if is_flex or flag(pool, "queuedProvisioning", "enabled"):
        return
    if not flag(pool, "management", "autoRepair"):
        yield "management.autoRepair is not true"


@mandatory(
    NODE_POOL,
    layer="cluster",
    severity="medium",
    why="Nodes that are not upgraded miss security patches and drift from the control plane.",
    fix="set management.auto_upgrade",
    references=(
        cis("5.5.3"),
        google("Node auto-upgrades", "kubernetes-engine/docs/how-to/node-auto-upgrades"),
    ),
    passing={"management": {"autoUpgrade": True}},
    failing={"management": {}},
)
def node_pool_upgrades_itself(pool: Props) -> Iterator[str]:
    """A node pool follows the control plane's version."""
    if not flag(pool, "management", "autoUpgrade"):
        yield "management.autoUpgrade is not true"


@mandatory(
    POOLS,
    layer="cluster",
    severity="medium",
    why="Secure boot refuses kernels and boot loaders that are not signed: rootkits among them.",
    fix="set node_config.shielded_instance_config.enable_secure_boot",
    references=(
        cis("5.5.7"),
        google("Secure boot", "kubernetes-engine/docs/how-to/shielded-gke-nodes#secure_boot"),
    ),
    passing={"nodeConfig": {"shieldedInstanceConfig": {"enableSecureBoot": True}}},
    failing=(Resource("gcp:container/cluster:Cluster", {"removeDefaultNodePool": False}),),
)
def nodes_boot_securely(pool: Props) -> Iterator[str]:
    """Nodes boot only what is signed."""
    if not flag(pool, "nodeConfig", "shieldedInstanceConfig", "enableSecureBoot"):
        yield f"{spoken(pool)} has shieldedInstanceConfig.enableSecureBoot unset or false"


def spoken(pool: Props) -> str:
    """A pool in a message."""
    # The name may be made by the engine; a rule does not depend on it.
    name = dict.get(pool, "name")
    return f'pool "{name}"' if isinstance(name, str) else "the pool"
