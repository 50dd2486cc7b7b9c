"""Constraints on flex-start, queued provisioning, compact placement and TPU slice node pools."""

from __future__ import annotations

from math import prod

from facts import compact_placement
from facts.machines import machine_type
from sandbox.gcp.services.container.checks import InvalidError
from sandbox.gcp.services.container.pool_defaults import DEFAULT_MACHINE
from sandbox.gcp.services.container.wire_format import Json


def is_on_demand_capacity(pool: Json) -> bool:
    """Whether the pool has flex-start or queued provisioning."""
    config = pool.get("config") or {}
    queued = (pool.get("queuedProvisioning") or {}).get("enabled")
    return bool(config.get("flexStart") or queued)


def check(pool: Json, zones: tuple[str, ...]) -> None:
    """Raise `InvalidError` if the pool's settings conflict."""
    config = pool.get("config") or {}
    if is_on_demand_capacity(pool):
        _check_on_demand_capacity(pool, config)
    if config.get("flexStart") and (config.get("spot") or config.get("preemptible")):
        raise InvalidError("Flex-start cannot be used with Spot or preemptible nodes.")
    if topology := (pool.get("placementPolicy") or {}).get("tpuTopology"):
        _check_tpu_slice(pool, config, topology, zones)
    check_placement(pool, zones)


def check_placement(pool: Json, zones: tuple[str, ...]) -> None:
    """Raise `InvalidError` if the nodes are to be close to each other and cannot.

    The rules are Google's, the words are not: its own have not been recorded.
    """
    policy, config = pool.get("placementPolicy") or {}, pool.get("config") or {}
    if policy.get("type") != "COMPACT" or policy.get("tpuTopology"):
        return
    for _, reason in compact_placement.problems(
        config.get("machineType") or DEFAULT_MACHINE,
        zones,
        blue_green=(pool.get("upgradeSettings") or {}).get("strategy") == "BLUE_GREEN",
        queued=bool((pool.get("queuedProvisioning") or {}).get("enabled")),
        flex_start=bool(config.get("flexStart")),
    ):
        raise InvalidError(f"Placement policy COMPACT cannot be used: {reason}.")


def _check_on_demand_capacity(pool: Json, config: Json) -> None:
    what = "flex-start" if config.get("flexStart") else "queued provisioning"
    affinity = (config.get("reservationAffinity") or {}).get("consumeReservationType")
    if affinity != "NO_RESERVATION":
        raise InvalidError(f"Node pools with {what} must have reservation affinity NO_RESERVATION.")
    if (pool.get("management") or {}).get("autoRepair") is not False:
        raise InvalidError(f"Auto-repair must be disabled for node pools with {what}.")
    if not (pool.get("autoscaling") or {}).get("enabled"):
        raise InvalidError(f"Autoscaling must be enabled for node pools with {what}.")
    if int(pool.get("initialNodeCount") or 0):
        raise InvalidError(f"The initial node count must be 0 for node pools with {what}.")


def _check_tpu_slice(pool: Json, config: Json, topology: str, zones: tuple[str, ...]) -> None:
    name = config.get("machineType") or DEFAULT_MACHINE
    machine = machine_type(name)
    if machine is None or not machine.tpus:
        raise InvalidError(f'Machine type "{name}" has no TPUs: tpu_topology cannot be set.')
    if (pool.get("placementPolicy") or {}).get("type") != "COMPACT":
        raise InvalidError("placement_policy.type must be COMPACT with a tpu_topology.")
    chips = prod(int(side) for side in topology.split("x"))
    if chips % machine.tpus:
        raise InvalidError(
            f'TPU topology "{topology}" of {chips} chips is not made of "{name}" with '
            f"{machine.tpus}."
        )
    if len(zones) != 1:
        raise InvalidError("A TPU slice node pool must be in exactly one zone.")
    size = chips // machine.tpus
    limits = pool.get("autoscaling") or {}
    maximum = int(limits.get("totalMaxNodeCount") or limits.get("maxNodeCount") or size)
    if maximum != size or int(pool.get("initialNodeCount") or 0) not in (0, size):
        raise InvalidError(f'TPU topology "{topology}" of "{name}" needs exactly {size} nodes.')
