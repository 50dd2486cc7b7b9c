"""Rules about what a stack may cost: machines, accelerators, ceilings."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Annotated

from msgspec import Meta

from gkeplatform.config import Settings
from policies.rule import Stack, google, mandatory
from policies.rules.cluster import CLUSTER
from policies.rules.frontends import FORWARDING_RULES
from policies.rules.node_pools import NODE_POOL, spoken
from policies.rules.services import SERVICES
from policies.subjects import Resource, whole
from policies.values import Props, entries, number, text, texts

_MACHINES = google("Machine families", "compute/docs/machine-resource")
_GPUS = google("GPU models", "compute/docs/gpus")
_QUOTAS = google("Quotas and limits", "kubernetes-engine/quotas")


class Machines(Settings):
    """What nodes may be."""

    machine_types: Annotated[
        tuple[str, ...],
        Meta(min_length=1, description="Machine types that pools may have; `*` is any text."),
    ] = (
        "e2-*", "n1-*", "n2-*", "n2d-*", "n4-*", "n4d-*", "c2-*", "c2d-*", "c3-*", "c3d-*", "c4-*",
        "c4a-*", "c4d-*", "t2a-*", "t2d-*", "g2-*", "g4-*", "a2-*", "a3-*", "ct4p-*", "ct5lp-*",
        "ct5p-*", "ct6e-*", "tpu7x-*",
    )  # fmt: skip
    accelerators: Annotated[
        tuple[str, ...], Meta(min_length=1, description="Accelerators that nodes may have.")
    ] = ("nvidia-tesla-t4", "nvidia-l4", "nvidia-tesla-a100", "nvidia-a100-80gb", "nvidia-h100-*")


@mandatory(
    NODE_POOL,
    layer="cluster",
    severity="medium",
    why="The machines with the most memory and the newest accelerators cost as much an hour as "
    "others a week.",
    fix="choose another machine, or allow it for the environment "
    "(gke-policies:parameters, machines-are-of-allowed-types)",
    references=(_MACHINES, _GPUS),
    passing={"nodeConfig": {"machineType": "n2-standard-8"}},
    failing={"nodeConfig": {"machineType": "m3-ultramem-128"}},
)
def machines_are_of_allowed_types(pool: Props, given: Machines) -> Iterator[str]:
    """Nodes are of machine types, and bear accelerators, that the environment allows."""
    machine = text(pool, "nodeConfig", "machineType")
    if machine and not any(fnmatchcase(machine, one) for one in given.machine_types):
        yield f"{spoken(pool)} is of {machine}, which is not allowed here"
    for accelerator in entries(pool, "nodeConfig", "guestAccelerators"):
        kind = text(accelerator, "type").rpartition("/")[2]
        if kind and not any(fnmatchcase(kind, one) for one in given.accelerators):
            yield f"{spoken(pool)} bears {kind}, which is not allowed here"


class Ceilings(Settings):
    """The most that a stack may grow to."""

    nodes: Annotated[Annotated[int, Meta(ge=0)], Meta(description="Nodes of all pools.")] = 200
    gpus: Annotated[Annotated[int, Meta(ge=0)], Meta(description="GPUs of all nodes.")] = 64


@mandatory(
    CLUSTER.seen_as(whole),
    layer="cluster",
    severity="medium",
    why="Each pool has a ceiling; the bill has one only if all of them together have.",
    fix="lower the pools' max_nodes, or raise the ceiling "
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
    cluster: Resource, stack: Stack, given: Ceilings
) -> Iterator[str]:
    """All node pools together stay below the environment's ceilings of nodes and GPUs."""
    zones = len(texts(cluster.props, "nodeLocations"))
    sizes = [(one.props, most_nodes(one.props, zones)) for one in stack.of(NODE_POOL)]
    nodes = sum(size for _, size in sizes)
    gpus = sum(size * _gpus(pool) for pool, size in sizes)
    if nodes > given.nodes:
        yield f"its pools may grow to {nodes} nodes, above the ceiling of {given.nodes}"
    if gpus > given.gpus:
        yield f"its pools may grow to {gpus} GPUs, above the ceiling of {given.gpus}"


def most_nodes(pool: Props, zones: int) -> int:
    """The most nodes that a pool may have; limits of a pool count for each of its zones."""
    total = number(pool, "autoscaling", "totalMaxNodeCount")
    if total is not None:
        return int(total)
    each = number(pool, "autoscaling", "maxNodeCount") or number(pool, "nodeCount") or 0
    location = text(pool, "location")
    own = len(texts(pool, "nodeLocations")) or (1 if location.count("-") > 1 else zones or 3)
    return int(each) * own


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


class Addresses(Settings):
    """The most that a stack may have."""

    most: Annotated[
        Annotated[int, Meta(ge=0)],
        Meta(description="Forwarding rules, and Services of type LoadBalancer."),
    ] = 20


@mandatory(
    FORWARDING_RULES.seen_as(whole) | SERVICES,
    layer="every",
    severity="low",
    why="Each load balancer is paid for by the hour, and is one more door.",
    fix="route by paths of one load balancer (exposure http-load-balancer), or raise the ceiling "
    "(gke-policies:parameters, load-balancers-stay-below-the-ceiling)",
    references=(google("Pricing of load balancing", "load-balancing/pricing"),),
    passing=(Resource(FORWARDING_RULES.example, {"name": "models"}),),
    failing=tuple(Resource(FORWARDING_RULES.example, {"name": f"m{i}"}) for i in range(21)),
)
def load_balancers_stay_below_the_ceiling(
    one: Resource, stack: Stack, given: Addresses
) -> Iterator[str]:
    """A stack has no more load balancers than the environment's ceiling."""
    found = stack.once(_load_balancers)
    # Said once, of the last of them.
    if len(found) > given.most and found[-1] is one:
        yield f"it is load balancer {len(found)} of a stack that may have {given.most}"
