"""How many replicas node pools can hold under a required topology spread.

Kubernetes places a pod in a domain (a zone, a node) only if the domain then has at most `max_skew`
pods more than the domain with the fewest. The domains are those of all nodes that the pod may run
on, whether or not it fits there:
https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from gkeplatform.contracts import NodePool
from infra.serving.models.workload import Workload
from infra.serving.placement.demand import of_pod
from infra.serving.placement.fit import close, is_eligible, replicas_per_node, shortages


def zone_capacities(workload: Workload, pools: Sequence[NodePool]) -> dict[str, int]:
    """Replicas that each zone's nodes can hold, with nothing else on them.

    A zone whose nodes are all too small has 0, and still counts for the spread. A replica on
    several hosts has as many pods, each on a node of its own, in one pool.
    """
    eligible = [pool for pool in pools if is_eligible(workload, pool) and pool.max_nodes]
    eligible = list(close(workload, eligible)) or eligible
    demand = of_pod(workload)
    per_node = {
        pool.name: 0 if shortages(workload, pool) else replicas_per_node(demand, pool)
        for pool in eligible
    }
    if workload.spread.nodes == "required" and per_node:
        highest = min(per_node.values()) + workload.spread.max_skew
        per_node = {name: min(count, highest) for name, count in per_node.items()}
    zones: dict[str, int] = {}
    for pool in eligible:
        for place, zone in enumerate(pool.zones):
            pods = per_node[pool.name] * _in_zone(pool, place)
            zones[zone] = zones.get(zone, 0) + pods // workload.hosts
    return dict(sorted(zones.items()))


def _in_zone(pool: NodePool, place: int) -> int:
    """Its nodes in one of its zones at most; a limit on all zones is shared out evenly."""
    if pool.max_total is None:
        return pool.max_nodes
    each, rest = divmod(pool.max_total, len(pool.zones))
    return each + (place < rest)


def room(workload: Workload, capacities: Mapping[str, int]) -> int:
    """The largest number of replicas that zones of these capacities can hold."""
    if workload.spread.zones != "required" or not capacities:
        return sum(capacities.values())
    highest = min(capacities.values()) + workload.spread.max_skew
    return sum(min(capacity, highest) for capacity in capacities.values())


def fits_together(
    workload: Workload, counts: tuple[int, int], capacities: Mapping[str, int]
) -> bool:
    """Whether zones can hold a model and its canary at these counts, each spread by itself.

    `workload` is either: both have the same demand, pools and spread.
    """
    skew = workload.spread.max_skew
    if workload.spread.zones != "required":
        return sum(counts) <= sum(capacities.values())
    # Each workload has between `low` and `low + skew` replicas in every zone. For given lows the
    # bounds are those of a flow, so that no set of workloads may exceed the zones' room for it.
    sizes = capacities.values()
    for low, other in product(*(_lows(count, len(sizes), skew) for count in counts)):
        if (
            all(low + other <= size for size in sizes)
            and counts[0] <= sum(min(low + skew, size - other) for size in sizes)
            and counts[1] <= sum(min(other + skew, size - low) for size in sizes)
            and sum(counts) <= sum(min(low + other + 2 * skew, size) for size in sizes)
        ):
            return True
    return False


def _lows(count: int, zones: int, skew: int) -> Iterator[int]:
    """The numbers of replicas that the zone with the fewest may have."""
    yield from range(max(0, -(-count // zones) - skew), count // zones + 1)
