"""Rules about cost: machine types, accelerators, and limits on nodes and load balancers."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Annotated

from msgspec import Meta

from gkeplatform.config import Settings
from policies.rule import Stack, google, mandatory
from policies.rules.cluster import CLUSTER
from policies.rules.frontends import FORWARDING_RULES
from policies.rules.node_pools import NODE_POOL, describe_pool
from policies.rules.services import SERVICES
from policies.subjects import Resource, resource_view
from policies.values import Props, entries, number, text, texts

_MACHINES = google("Machine families", "compute/docs/machine-resource")
_GPUS = google("GPU models", "compute/docs/gpus")
_QUOTAS = google("Quotas and limits", "kubernetes-engine/quotas")


class AllowedMachines(Settings):
    """Machine types and accelerators that node pools may have."""

    machine_types: Annotated[
        tuple[str, ...],
        Meta(min_length=1, description="Allowed machine types; `*` matches any text."),
    ] = (
        "e2-*", "n1-*", "n2-*", "n2d-*", "n4-*", "n4d-*", "c2-*", "c2d-*", "c3-*", "c3d-*", "c4-*",
        "c4a-*", "c4d-*", "t2a-*", "t2d-*", "g2-*", "g4-*", "a2-*", "a3-*", "a4-*", "ct4p-*",
        "ct5lp-*", "ct5p-*", "ct6e-*", "tpu7x-*",
    )  # fmt: skip
    accelerators: Annotated[
        tuple[str, ...],
        Meta(min_length=1, description="Allowed accelerators; `*` matches any text."),
    ] = (
        "nvidia-tesla-t4", "nvidia-l4", "nvidia-tesla-a100", "nvidia-a100-80gb", "nvidia-h100-*",
        "nvidia-h200-*", "nvidia-b200", "nvidia-rtx-pro-6000",
    )  # fmt: skip


@mandatory(
    NODE_POOL,
    layer="cluster",
    severity="medium",
    why="The largest machines and accelerators cost as much per hour as others per week.",
    fix="choose another machine type, or allow it for the environment "
    "(gke-policies:parameters, machines-are-of-allowed-types)",
    references=(_MACHINES, _GPUS),
    passing={"nodeConfig": {"machineType": "n2-standard-8"}},
    failing={"nodeConfig": {"machineType": "m3-ultramem-128"}},
)
def machines_are_of_allowed_types(pool: Props, given: AllowedMachines) -> Iterator[str]:
    """Node pools use machine types and accelerators that the environment allows."""
    machine = text(pool, "nodeConfig", "machineType")
    if machine and not any(fnmatchcase(machine, one) for one in given.machine_types):
        yield f"{describe_pool(pool)} has machine type {machine}, which is not allowed"
    for accelerator in entries(pool, "nodeConfig", "guestAccelerators"):
        kind = text(accelerator, "type").rpartition("/")[2]
        if kind and not any(fnmatchcase(kind, one) for one in given.accelerators):
            yield f"{describe_pool(pool)} has accelerator {kind}, which is not allowed"


class PoolLimits(Settings):
    """Limits on the total size of all node pools."""

    nodes: Annotated[
        Annotated[int, Meta(ge=0)], Meta(description="Maximum nodes of all pools.")
    ] = 200
    gpus: Annotated[Annotated[int, Meta(ge=0)], Meta(description="Maximum GPUs of all nodes.")] = 64


@mandatory(
    CLUSTER.with_view(resource_view),
    layer="cluster",
    severity="medium",
    why="Limits per pool do not limit the total cost.",
    fix="lower the pools' max_nodes, or raise the limit "
    "(gke-policies:parameters, pools-stay-below-the-ceilings)",
    references=(_QUOTAS,),
    passing=(
        Resource(CLUSTER.example, {"nodeLocations": ["a", "b", "c"]}),
        Resource(NODE_POOL.example, {"autoscaling": {"maxNodeCount": 10}}),
    ),
    failing=(
        Resource(CLUSTER.example, {"nodeLocations": ["a", "b", "c"]}),
        Resource(NODE_POOL.example, {"autoscaling": {"maxNodeCount": 100}}),
    ),
)
def pools_stay_below_the_ceilings(
    cluster: Resource, stack: Stack, given: PoolLimits
) -> Iterator[str]:
    """All node pools together stay within the environment's limits on nodes and GPUs."""
    zones = len(texts(cluster.props, "nodeLocations"))
    sizes = [(one.props, max_nodes(one.props, zones)) for one in stack.of(NODE_POOL)]
    nodes = sum(size for _, size in sizes)
    gpus = sum(size * _gpus(pool) for pool, size in sizes)
    if nodes > given.nodes:
        yield f"its pools may grow to {nodes} nodes; the limit is {given.nodes}"
    if gpus > given.gpus:
        yield f"its pools may grow to {gpus} GPUs; the limit is {given.gpus}"


def max_nodes(pool: Props, zones: int) -> int:
    """Return the maximum nodes of a pool. Limits without `total` are per zone."""
    total = number(pool, "autoscaling", "totalMaxNodeCount")
    if total is not None:
        return int(total)
    per_zone = number(pool, "autoscaling", "maxNodeCount") or number(pool, "nodeCount") or 0
    location = text(pool, "location")
    pool_zones = len(texts(pool, "nodeLocations")) or (1 if location.count("-") > 1 else zones or 3)
    return int(per_zone) * pool_zones


def _gpus(pool: Props) -> int:
    accelerators = entries(pool, "nodeConfig", "guestAccelerators")
    return sum(int(number(one, "count") or 0) for one in accelerators)


def _load_balancers(stack: Stack) -> list[Resource]:
    return [
        *stack.of(FORWARDING_RULES),
        *(
            service
            for service in stack.of(SERVICES)
            if text(service.props, "spec", "type") == "LoadBalancer"
        ),
    ]


class LoadBalancerLimit(Settings):
    """Limit on load balancers."""

    most: Annotated[
        Annotated[int, Meta(ge=0)],
        Meta(description="Maximum forwarding rules and Services of type LoadBalancer."),
    ] = 20


@mandatory(
    FORWARDING_RULES.with_view(resource_view) | SERVICES,
    layer="every",
    severity="low",
    why="Each load balancer is billed by the hour and adds an entry point.",
    fix="share one load balancer (exposure http-load-balancer), or raise the limit "
    "(gke-policies:parameters, load-balancers-stay-below-the-ceiling)",
    references=(google("Pricing of load balancing", "load-balancing/pricing"),),
    passing=(Resource(FORWARDING_RULES.example, {"name": "models"}),),
    failing=tuple(Resource(FORWARDING_RULES.example, {"name": f"m{i}"}) for i in range(21)),
)
def load_balancers_stay_below_the_ceiling(
    one: Resource, stack: Stack, given: LoadBalancerLimit
) -> Iterator[str]:
    """A stack stays within the environment's limit on load balancers."""
    found = stack.cached(_load_balancers)
    # Reported once, on the last one.
    if len(found) > given.most and found[-1] is one:
        yield f"the stack has {len(found)} load balancers; the limit is {given.most}"
