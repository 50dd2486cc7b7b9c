"""Compute classes in the cluster autoscaler's decisions, without a cluster."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sandbox.kubernetes.nodes import POOL, manifest, status
from sandbox.kubernetes.scaling import classes, migration, plan
from sandbox.kubernetes.specs import NodeSpec, ScalingGroup, ScalingPool

Json = dict[str, Any]
ZONES = ("a", "b")


def _spec(pool: str, zone: str, index: int = 0, **more: Any) -> NodeSpec:
    facts: dict[str, Any] = {"machine_type": "n2-standard-4", "cpu": "4", "memory": "16Gi"} | more
    labels = {classes.LABEL: "cheap"} | facts.pop("labels", {})
    taints = ({"key": classes.LABEL, "value": "cheap", "effect": "NoSchedule"},)
    return NodeSpec(
        name=f"{pool}-{zone}-{index}", zone=zone, region="r", labels=labels, taints=taints, **facts
    )


def _pool(name: str, size: int = 0, *, most: int = 1, least: int = 0, **spec: Any) -> ScalingPool:
    """`size` nodes in zone a, none in zone b."""
    groups = tuple(
        ScalingGroup(
            path=f"zones/{zone}/instanceGroupManagers/{name}-{zone}",
            zone=zone,
            size=count,
            last_node=f"{name}-{zone}-{count - 1}" if count else "",
            template=_spec(name, zone, count, **spec),
        )
        for zone, count in zip(ZONES, (size, 0), strict=True)
    )
    return ScalingPool(name=name, groups=groups, min=least, max=most, is_total=False)


def _new(pool: ScalingPool) -> ScalingPool:
    """The pool as one that could be created."""
    return replace(pool, exists=False)


def _node(pool: str, zone: str = "a", **more: Any) -> Json:
    spec = _spec(pool, zone, **more)
    return manifest(spec, pool, project="p", pod_cidr=None) | {
        "status": status(spec, version="1", kubelet_port=1)
    }


def _pod(name: str, *, node: str = "", class_: str = "cheap", **spec: Any) -> Json:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    asked = {"requests": {"cpu": "3", "memory": "1Gi"}}
    return {
        "metadata": {
            "name": name,
            "namespace": "n",
            "uid": name,
            "labels": {"app": "x"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "x"}],
        },
        "spec": {
            "containers": [{"resources": asked}],
            "nodeSelector": {classes.LABEL: class_},
            "tolerations": [{"key": classes.LABEL, "operator": "Exists"}],
            **({"nodeName": node} if node else {}),
            **spec,
        },
        "status": {} if node else {"conditions": [condition]},
    }


def _class(*pools: str, **spec: Any) -> dict[str, classes.ComputeClass]:
    priorities = {"priorities": [{"nodepools": [name]} for name in pools]}
    return classes.read([{"metadata": {"name": "cheap"}, "spec": priorities | spec}])


MIGRATES = {"activeMigration": {"optimizeRulePriority": True}}


def _grown(*pools: ScalingPool, pods: int = 1, off: tuple[str, ...] = (), **spec: Any) -> list[str]:
    rules = spec.pop("rules", None) or [{"nodepools": ["first"]}, {"nodepools": ["second"]}]
    known = _class(**{"priorities": rules, **spec})
    waiting = [_pod(f"p{index}") for index in range(pods)]
    found = plan.scale_up(pools, [], waiting, [f"zones/{one}" for one in off], known)
    return sorted(group.path.rpartition("/")[2] for group in found.growth.elements())


# Larger nodes, so that without a class the other pool would be chosen: it wastes less.
FIRST, SECOND = _pool("first", cpu="16"), _pool("second")


def test_the_first_choice_grows_in_every_zone_before_the_second() -> None:
    assert _grown(FIRST, SECOND) == ["first-a"]
    third = _pool("first", cpu="4")
    assert _grown(third, SECOND, pods=3) == ["first-a", "first-b", "second-a"]


def test_a_choice_without_stock_is_passed_over() -> None:
    first = [f"{zone}/instanceGroupManagers/first-{zone}" for zone in ZONES]
    assert _grown(FIRST, SECOND, off=(first[0],)) == ["first-b"]
    assert _grown(FIRST, SECOND, off=tuple(first)) == ["second-a"]


def test_pools_of_one_choice_are_equal() -> None:
    assert _grown(FIRST, SECOND, rules=[{"nodepools": ["first", "second"]}]) == ["second-a"]


@pytest.mark.parametrize(
    ("said", "grown"),
    [("DoNotScaleUp", []), (None, []), ("ScaleUpAnyway", ["second-a"])],
)
def test_a_pool_that_is_no_choice_grows_only_anyway(said: str | None, grown: list[str]) -> None:
    told: dict[str, Any] = {"whenUnsatisfiable": said} if said else {}
    assert _grown(SECOND, rules=[{"nodepools": ["first"]}], **told) == grown


def test_a_pool_without_the_label_of_the_class_is_none_of_its_choices() -> None:
    other = _pool("first", labels={classes.LABEL: "dear"})
    assert _grown(other, whenUnsatisfiable="ScaleUpAnyway") == []


def test_pods_of_a_class_that_does_not_exist_are_told() -> None:
    found = plan.scale_up([FIRST], [], [_pod("p", class_="chaep")], (), _class("first"))
    assert [why for _, why in found.unschedulable] == ['there is no ComputeClass "chaep"']


@pytest.mark.parametrize(
    ("rule", "chosen"),
    [
        ({"machineFamily": "n2"}, "plain"),
        ({"machineType": "n2-standard-4", "spot": True}, "spot"),
        ({"machineFamily": "n2", "minCores": 8}, None),
        ({"machineFamily": "n2", "location": {"zones": ["b"]}}, "plain"),
        ({"gpu": {"type": "nvidia-l4", "count": 1}}, "gpu"),
        ({"gpu": {"type": "nvidia-l4", "count": 2}}, None),
        ({"flexStart": {"enabled": True}}, "flex"),
        ({"reservations": {"affinity": "Specific", "specific": [{"name": "held"}]}}, None),
        ({"podFamily": "general-purpose"}, None),
    ],
)
def test_a_rule_may_describe_the_nodes(rule: Json, chosen: str | None) -> None:
    pools = [
        _pool("plain"),
        _pool("spot", labels={"cloud.google.com/gke-spot": "true"}),
        _pool("gpu", accelerators=1, labels={"cloud.google.com/gke-accelerator": "nvidia-l4"}),
        _pool("flex", labels={"cloud.google.com/gke-flex-start": "true"}),
    ]
    grown = _grown(*pools, rules=[rule])
    assert [one.partition("-")[0] for one in grown] == ([chosen] if chosen else [])
    if "location" in rule:
        assert grown == ["plain-b"]


def test_a_class_may_be_selected_by_affinity() -> None:
    term = {"matchExpressions": [{"key": classes.LABEL, "operator": "In", "values": ["cheap"]}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    pod = _pod("p", nodeSelector={}, affinity={"nodeAffinity": required})
    assert classes.of_pod(pod) == "cheap"


def _move(
    pools: list[ScalingPool],
    nodes: list[Json],
    pods: list[Json],
    *,
    allowed: int = 1,
    off: tuple[str, ...] = (),
    known: dict[str, classes.ComputeClass] | None = None,
) -> migration.Move | None:
    budget = {
        "metadata": {"namespace": "n"},
        "spec": {"selector": {"matchLabels": {"app": "x"}}},
        "status": {"disruptionsAllowed": allowed},
    }
    known = known or _class("first", "second", **MIGRATES)
    return migration.next_move(pools, nodes, pods, [budget], classes=known, backoff=off)


FALLEN = ([_pool("first"), _pool("second", 1)], [_node("second")], [_pod("p", node="second-a-0")])


def test_the_preferred_nodes_are_added_before_a_node_is_left() -> None:
    pools, nodes, pods = FALLEN
    found = _move(pools, nodes, pods)
    assert found
    assert found.node == "second-a-0"
    assert [group.path.rpartition("/")[2] for group in found.growth] == ["first-a"]
    found = _move([_pool("first", 1), pools[1]], [*nodes, _node("first")], pods)
    assert found
    assert (found.node, dict(found.growth)) == ("second-a-0", {})


def test_pods_stay_while_the_preferred_choice_has_no_stock() -> None:
    paths = tuple(f"zones/{zone}/instanceGroupManagers/first-{zone}" for zone in ZONES)
    assert _move(*FALLEN, off=paths) is None


def test_pods_stay_where_budgets_or_the_class_say_so() -> None:
    assert _move(*FALLEN, allowed=0) is None
    assert _move(*FALLEN, known=_class("first", "second")) is None
    pools, nodes, _ = FALLEN
    kept = _pod("p", node="second-a-0")
    kept["metadata"]["annotations"] = {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"}
    assert _move(pools, nodes, [kept]) is None


def test_a_pool_keeps_its_least_nodes() -> None:
    _, nodes, pods = FALLEN
    assert _move([_pool("first"), _pool("second", 1, least=1)], nodes, pods) is None


def test_nodes_of_the_first_choice_and_empty_ones_are_not_left() -> None:
    pools = [_pool("first", 1, most=2), _pool("second", 1)]
    nodes = [_node("first"), _node("second")]
    assert _move(pools, nodes, [_pod("p", node="first-a-0")]) is None


def test_the_least_preferred_node_is_left_first() -> None:
    pools = [_pool("first"), _pool("second", 1), _pool("third", 1)]
    nodes = [_node("second"), _node("third")]
    pods = [_pod("p", node="second-a-0"), _pod("q", node="third-a-0")]
    known = _class("first", "second", "third", **MIGRATES)
    found = _move(pools, nodes, pods, known=known)
    assert found
    assert found.node == "third-a-0"


def test_a_spread_over_zones_is_kept() -> None:
    constraint = {
        "topologyKey": "topology.kubernetes.io/zone",
        "whenUnsatisfiable": "DoNotSchedule",
        "maxSkew": 1,
        "labelSelector": {"matchLabels": {"app": "x"}},
    }
    pods = [
        _pod("p", node="second-a-0", topologySpreadConstraints=[constraint]),
        _pod("q", node="first-a-0", topologySpreadConstraints=[constraint]),
    ]
    pools = [_pool("first", 1, most=2), _pool("second", 1)]
    found = _move(pools, [_node("first"), _node("second")], pods)
    assert found
    assert [group.zone for group in found.growth] == ["b"]


def test_pods_of_daemon_sets_do_not_move() -> None:
    agent = _pod("agent", node="second-a-0")
    agent["metadata"]["ownerReferences"] = [{"kind": "DaemonSet", "name": "x"}]
    assert migration.left_behind("second-a-0", [agent]) == []
    pools, nodes, _ = FALLEN
    assert _move(pools, nodes, [agent]) is None
    assert nodes[0]["metadata"]["labels"][POOL] == "second"


SPOT: dict[str, Any] = {"labels": {"cloud.google.com/gke-spot": "true"}}
OWN_THEN_SPOT = [{"nodepools": ["first"]}, {"machineType": "n2-standard-4", "spot": True}]


def test_a_pool_is_created_once_no_pool_of_a_better_choice_has_room() -> None:
    made = _new(_pool("nap", **SPOT))
    both = "zones/a/instanceGroupManagers/first-a", "zones/b/instanceGroupManagers/first-b"
    assert _grown(FIRST, made, rules=OWN_THEN_SPOT) == ["first-a"]
    known = classes.read([{"metadata": {"name": "cheap"}, "spec": {"priorities": OWN_THEN_SPOT}}])
    found = plan.scale_up([FIRST, made], [], [_pod("p")], both, known)
    assert [group.path.rpartition("/")[2] for group in found.growth] == ["nap-a"]


def test_of_one_choice_a_pool_that_exists_is_preferred() -> None:
    rules = [{"machineFamily": "n2"}]
    # The one that could be created wastes less.
    assert _grown(_new(_pool("nap")), _pool("there", cpu="16"), rules=rules) == ["there-a"]


def test_pods_return_to_a_pool_that_has_yet_to_be_created() -> None:
    rules = [{"machineType": "n2-standard-4", "spot": True}, {"nodepools": ["second"]}]
    spec = {"priorities": rules, **MIGRATES}
    known = classes.read([{"metadata": {"name": "cheap"}, "spec": spec}])
    _, nodes, pods = FALLEN
    found = _move([_pool("second", 1), _new(_pool("nap", **SPOT))], nodes, pods, known=known)
    assert found
    assert [group.path.rpartition("/")[2] for group in found.growth] == ["nap-a"]


def test_pods_that_fit_nothing_hear_of_existing_pools_alone() -> None:
    small = _new(_pool("nap", cpu="1", **SPOT))
    known = classes.read([{"metadata": {"name": "cheap"}, "spec": {"priorities": OWN_THEN_SPOT}}])
    found = plan.scale_up([_pool("first", cpu="1"), small], [], [_pod("p")], (), known)
    assert [why for _, why in found.unschedulable] == ["2 Insufficient cpu"]


@pytest.mark.parametrize(
    ("spec", "rules"),
    [
        ({}, []),
        ({"nodePoolAutoCreation": {"enabled": True}}, [{"machineFamily": "n2", "spot": True}]),
        (
            {"nodePoolAutoCreation": {"enabled": True}, "whenUnsatisfiable": "ScaleUpAnyway"},
            [{"machineFamily": "n2", "spot": True}, {"machineFamily": "e2"}],
        ),
    ],
)
def test_pools_are_created_for_rules_that_describe_nodes(spec: Json, rules: list[Json]) -> None:
    priorities = [{"nodepools": ["first"]}, {"machineFamily": "n2"}]
    nodes = {"serviceAccount": "x"}
    whole = {
        "priorities": priorities,
        "priorityDefaults": {"spot": True},
        "nodePoolConfig": nodes,
        **spec,
    }
    [found] = classes.read([{"metadata": {"name": "cheap"}, "spec": whole}]).values()
    made = list(found.creatable)
    assert [dict(one.rule) for one in made] == rules
    assert all(one.nodes == nodes and one.class_name == "cheap" for one in made)


def test_nodes_of_a_reservation_are_known_by_their_label() -> None:
    rule = {"reservations": {"affinity": "Specific", "specific": [{"name": "held"}]}}
    held = _pool("nap", labels={"cloud.google.com/reservation-name": "held"})
    assert _grown(held, rules=[rule]) == ["nap-a"]
