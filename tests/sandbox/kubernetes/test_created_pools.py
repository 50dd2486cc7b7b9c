"""The autoscaler and pools that it may have created: one iteration, without a cluster."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import sandbox.kubernetes.control_planes  # noqa: F401 (before the autoscaler, which it imports)
from sandbox.kubernetes.scaling import autoscaler, migration, plan
from sandbox.kubernetes.scaling.backoff import Backoff
from sandbox.kubernetes.scaling.leaving import Leaving
from sandbox.kubernetes.specs import ClassRule, ScalingGroup, ScalingPool
from tests.sandbox.kubernetes.test_class_plans import (
    FIRST,
    OWN_THEN_SPOT,
    SPOT,
    ZONES,
    _new,
    _node,
    _pod,
    _pool,
)

Json = dict[str, Any]
CREATES = {
    "priorities": OWN_THEN_SPOT,
    "nodePoolAutoCreation": {"enabled": True},
    "activeMigration": {"optimizeRulePriority": True},
}


@dataclass
class Provisioner:
    """Offers these pools, and remembers what it was asked for."""

    offered: Sequence[ScalingPool] = (_new(_pool("nap", **SPOT)),)
    made: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)

    def candidates(self, rules: Sequence[ClassRule]) -> Sequence[ScalingPool]:
        return self.offered if rules else ()

    def make(self, name: str) -> None:
        self.made.append(name)

    def drop(self, name: str) -> None:
        self.dropped.append(name)


@dataclass
class Iteration:
    """What one iteration did."""

    grown: list[str] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    resized: list[str] = field(default_factory=list)


def iterate(
    pools: list[ScalingPool], nodes: list[Json], pods: list[Json], *, off: str = "", **spec: Any
) -> Iteration:
    """One iteration; groups of the pool `off` could not grow a moment ago."""
    done, provisioner = Iteration(), Provisioner()

    async def nothing(*_: Any, **__: Any) -> Any:
        return {"items": []}

    async def leave(node: str) -> None:
        done.left.append(node)

    async def grow(wanted: plan.Plan) -> None:
        done.grown += [group.path.rpartition("/")[2] for group in wanted.growth.elements()]

    async def resize(group: ScalingGroup, size: int) -> None:
        done.resized.append(f"{group.path.rpartition('/')[2]} {size}")

    def shows(objects: list[Json]) -> Any:
        return SimpleNamespace(objects=lambda: objects)

    one: Any = autoscaler.Autoscaler.__new__(autoscaler.Autoscaler)
    one._cluster, one._server = "main", SimpleNamespace(request=nothing, list=nothing)
    one._nodes, one._pods = shows(nodes), shows(pods)
    one._classes = shows([{"metadata": {"name": "cheap"}, "spec": CREATES | spec}])
    one._leaving = SimpleNamespace(proceed=lambda *_: _no_groups(), begin=leave)
    one._scaling = autoscaler.Scaling(
        pools=lambda: pools, unneeded_seconds=lambda: 0, provisioner=provisioner
    )
    one._idle_since, one._empty_since, one._backoff = {}, {}, Backoff()
    one._grow, one._resize = grow, resize
    for zone in ZONES if off else ():
        path = f"zones/{zone}/instanceGroupManagers/{off}-{zone}"
        one._backoff.failed(path, time.monotonic())
    asyncio.run(one._reconcile())
    done.made, done.dropped = provisioner.made, provisioner.dropped
    return done


async def _no_groups() -> None:
    return None


def test_a_pool_is_created_only_where_the_first_choice_cannot_grow() -> None:
    assert iterate([FIRST], [], [_pod("p")]) == Iteration(grown=["first-a"])
    assert iterate([FIRST], [], [_pod("p")], off="first") == Iteration(made=["nap"])


def test_pods_return_from_a_created_pool() -> None:
    nap, node = _pool("nap", 1, **SPOT), _node("nap", **SPOT)
    pods = [_pod("p", node="nap-a-0")]
    assert iterate([_pool("first"), nap], [node], pods) == Iteration(grown=["first-a"])
    both = [node, _node("first")]
    assert iterate([_pool("first", 1), nap], both, pods) == Iteration(left=["nap-a-0"])


def test_pods_return_to_a_pool_that_is_created_for_it() -> None:
    rules = [OWN_THEN_SPOT[1], {"nodepools": ["second"]}]
    pods = [_pod("p", node="second-a-0")]
    found = iterate([_pool("second", 1)], [_node("second")], pods, priorities=rules)
    assert found == Iteration(made=["nap"])


def test_an_empty_created_pool_is_deleted() -> None:
    empty = replace(_pool("nap", **SPOT), is_auto=True)
    pods = [_pod("p", node="first-a-0")]
    found = iterate([_pool("first", 1), empty], [_node("first")], pods)
    assert found == Iteration(dropped=["nap"])


def test_nodes_that_have_yet_to_start_are_not_requested_again() -> None:
    pods = [_pod("p")]
    node = _node("first")
    taint = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
    silent = {**node, "status": {}}
    ready = [{"type": "Ready", "status": "True"}]
    tainted = {
        **node,
        "spec": {**node["spec"], "taints": [*node["spec"].get("taints", ()), taint]},
        "status": {**node["status"], "conditions": ready},
    }
    for starting in (silent, tainted):
        assert iterate([_pool("first", 1)], [starting], pods) == Iteration()
    failed = {**tainted, "status": {**node["status"], "conditions": []}}
    assert iterate([_pool("first", 1)], [failed], pods) == Iteration(grown=["first-b"])


def test_a_node_that_was_left_goes_though_its_group_could_not_be_resized_at_first() -> None:
    pools = [_pool("first", 1), _pool("second", 1)]
    nodes = [_node("first"), _node("second")]
    for node in nodes:
        node["metadata"]["annotations"] |= {migration.LEAVING: "true"}
    server: Any = SimpleNamespace()
    leaving = Leaving(server)

    def empty() -> str:
        group = asyncio.run(leaving.proceed(pools, nodes, []))
        return group.last_node if group else ""

    names = {empty(), empty()}  # the first time nothing was done
    assert len(names) == 1
    leaving.removed(next(iter(names)))
    other = empty()
    assert names | {other} == {"first-a-0", "second-a-0"}
    leaving.removed(other)
    assert empty() == ""


def test_cordoned_nodes_of_a_created_pool_go_and_the_pool_with_them() -> None:
    nap = replace(_pool("nap", 1, **SPOT), is_auto=True)
    node = _node("nap", **SPOT)
    cordoned = {**node, "spec": {**node["spec"], "unschedulable": True}}
    assert iterate([nap], [cordoned], []) == Iteration(resized=["nap-a 0"])
