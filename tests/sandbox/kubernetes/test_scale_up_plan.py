"""The cluster autoscaler's decisions, without a cluster."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from facts.quantity import amount
from sandbox.kubernetes.nodes import manifest, status
from sandbox.kubernetes.scaling import plan, removal
from sandbox.kubernetes.scaling.backoff import Backoff
from sandbox.kubernetes.scaling.pods import requests
from sandbox.kubernetes.specs import NodeSpec, ScalingGroup, ScalingPool

Json = dict[str, Any]
SPREAD = {
    "maxSkew": 1,
    "topologyKey": "topology.kubernetes.io/zone",
    "whenUnsatisfiable": "DoNotSchedule",
    "labelSelector": {"matchLabels": {"app": "x"}},
}
GPU_TAINT = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}


def _spec(pool: str, zone: str, **more: Any) -> NodeSpec:
    facts = {"machine_type": "m", "cpu": "4", "memory": "16Gi", "labels": {"pool": pool}} | more
    return NodeSpec(name=f"{pool}-{zone}-0", zone=zone, region="r", **facts)


def _pool(name: str, size: int, *, most: int, is_total: bool = False, **spec: Any) -> ScalingPool:
    groups = tuple(
        ScalingGroup(
            path=f"zones/{zone}/instanceGroupManagers/{name}-{zone}",
            zone=zone,
            size=size,
            last_node=f"{name}-{zone}-{size - 1}" if size else "",
            template=_spec(name, zone, **spec),
        )
        for zone in ("a", "b")
    )
    return ScalingPool(name=name, groups=groups, min=0, max=most, is_total=is_total)


def _node(pool: str, zone: str, **more: Any) -> Json:
    spec = _spec(pool, zone, **more)
    return manifest(spec, pool, project="p", pod_cidr=None) | {
        "status": status(spec, version="1", kubelet_port=1)
    }


def _pod(name: str, cpu: str = "1", *, node: str = "", **spec: Any) -> Json:
    container = {"resources": {"requests": {"cpu": cpu, "memory": "1Gi"} | spec.pop("more", {})}}
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    return {
        "metadata": {
            "name": name,
            "namespace": "n",
            "uid": name,
            "labels": {"app": "x"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "x"}],
        },
        "spec": {"containers": [container]} | ({"nodeName": node} if node else {}) | spec,
        "status": {} if node else {"conditions": [condition]},
    }


def _grown(found: plan.Plan) -> dict[str, int]:
    return {group.path.rpartition("/")[2]: added for group, added in found.growth.items()}


def test_a_plan_adds_no_more_nodes_than_the_pods_need() -> None:
    pods = [_pod(f"p{index}", "1500m") for index in range(4)]
    # Two fit on a node of four cores: two nodes, one in each zone.
    assert _grown(plan.scale_up([_pool("g", 1, most=5)], [], pods)) == {"g-a": 1, "g-b": 1}


def test_free_capacity_is_used_first() -> None:
    found = plan.scale_up([_pool("g", 1, most=5)], [_node("g", "a")], [_pod("p", "3")])
    assert not found.growth
    assert not found.unschedulable


@pytest.mark.parametrize(
    ("pod", "reason"),
    [
        (_pod("p", "5"), "2 Insufficient cpu"),
        (_pod("p", nodeSelector={"disk": "ssd"}), "2 node(s) didn't match Pod's node affinity"),
        (_pod("p", more={"nvidia.com/gpu": "1"}), "2 Insufficient nvidia.com/gpu"),
    ],
)
def test_the_reasons_for_an_unschedulable_pod_are_given(pod: Json, reason: str) -> None:
    found = plan.scale_up([_pool("g", 0, most=5)], [], [pod])
    assert not found.growth
    assert reason in found.unschedulable[0][1]


def test_a_pool_grows_to_its_limit_and_no_further() -> None:
    pods = [_pod(f"p{index}", "3") for index in range(5)]
    found = plan.scale_up([_pool("g", 0, most=3, is_total=True)], [], pods)
    assert sum(found.growth.values()) == 3
    assert [reason for _, reason in found.unschedulable] == ["2 max node group size reached"] * 2


def test_nodes_with_accelerators_are_added_only_for_pods_that_request_them() -> None:
    gpu = _pool("gpu", 0, most=2, accelerators=1, taints=(GPU_TAINT,))
    general = _pool("g", 0, most=2)
    plain = _pod("plain")
    wants = _pod(
        "wants",
        more={"nvidia.com/gpu": "1"},
        tolerations=[{"key": "nvidia.com/gpu", "operator": "Exists"}],
    )
    grown = _grown(plan.scale_up([gpu, general], [], [plain, wants]))
    assert {name.partition("-")[0] for name in grown} == {"gpu", "g"}
    found = plan.scale_up([gpu], [], [plain])
    assert "untolerated taint {nvidia.com/gpu}" in found.unschedulable[0][1]


def test_a_node_is_added_in_the_zone_that_the_spread_requires() -> None:
    there = _pod("there", "3", node="g-b-0")
    waits = _pod("waits", "3", topologySpreadConstraints=[SPREAD])
    found = plan.scale_up([_pool("g", 1, most=5)], [_node("g", "b")], [there, waits])
    assert _grown(found) == {"g-a": 1}


def test_a_pod_is_spread_over_the_zones_of_nodes_that_it_selects() -> None:
    close = _pool("close", 1, most=3)
    close = replace(close, groups=close.groups[:1])  # in one zone
    chosen: Json = {"nodeSelector": {"pool": "close"}, "topologySpreadConstraints": [SPREAD]}
    there = _pod("there", "3", node="close-a-0", **chosen)
    found = plan.scale_up(
        [close, _pool("g", 1, most=5)],
        [_node("close", "a"), _node("g", "b")],
        [there, _pod("waits", "3", **chosen)],
    )
    assert _grown(found) == {"close-a": 1}


def test_a_pods_requests_include_sidecars_and_the_largest_init_container() -> None:
    def container(cpu: str, **more: Any) -> Json:
        return {"resources": {"requests": {"cpu": cpu}}} | more

    pod = {
        "spec": {
            "containers": [container("500m"), container("250m")],
            "initContainers": [container("100m", restartPolicy="Always"), container("2")],
            "overhead": {"cpu": "50m"},
        }
    }
    assert requests(pod)["cpu"] == amount("2150m")


def test_an_idle_node_is_removed_and_a_used_or_protected_one_is_not() -> None:
    pool = _pool("g", 1, most=5)
    nodes = [_node("g", "a"), _node("g", "b")]
    small = _pod("small", "500m", node="g-a-0")
    big = _pod("big", "3", node="g-b-0")
    assert list(removal.idle([pool], nodes, [small, big], [])) == ["g-a-0"]
    guard = {
        "metadata": {"namespace": "n"},
        "spec": {"selector": {"matchLabels": {"app": "x"}}},
        "status": {"disruptionsAllowed": 0},
    }
    assert not removal.idle([pool], nodes, [small, big], [guard])
    alone = _pod("alone", "500m", node="g-a-0")
    del alone["metadata"]["ownerReferences"]
    assert not removal.idle([pool], nodes, [alone, big], [])


def test_a_cordoned_node_is_removed_too_and_takes_no_pods_of_others() -> None:
    pool = _pool("g", 1, most=5)
    first, second = _node("g", "a"), _node("g", "b")
    cordoned = {**first, "spec": {**first["spec"], "unschedulable": True}}
    assert list(removal.idle([pool], [cordoned, second], [], [])) == ["g-a-0", "g-b-0"]
    small = _pod("small", "500m", node="g-b-0")
    assert list(removal.idle([pool], [first, second], [small], [])) == ["g-a-0", "g-b-0"]
    assert list(removal.idle([pool], [cordoned, second], [small], [])) == ["g-a-0"]


def test_of_a_node_with_gpus_only_these_count_as_used() -> None:
    kind = {"cloud.google.com/gke-accelerator": "nvidia-l4"}
    gpus: Json = {"accelerators": 2, "labels": kind}
    nodes = [_node("g", zone, **gpus) for zone in ("a", "b")]
    pool = _pool("g", 1, most=5, **gpus)

    def idle(*amounts: tuple[str, str]) -> list[str]:
        pods = [
            _pod(f"p{zone}", cpu, node=f"g-{zone}-0", more={"nvidia.com/gpu": count})
            for zone, (cpu, count) in zip(("a", "b"), amounts, strict=True)
        ]
        return list(removal.idle([pool], nodes, pods, []))

    # Half of the GPUs is used, and both pods would fit on one node.
    assert idle(("100m", "1"), ("100m", "1")) == []
    assert idle(("3500m", "0"), ("100m", "1")) == ["g-a-0"]


def test_quantities_are_exact() -> None:
    assert amount("1.5Gi") == 1610612736
    assert amount("100m") * 10 == amount("1") == amount(1)
    assert amount("2e3") == amount("2k")
    assert Counter({"a": amount("1n")})["a"] * 10**9 == 1


def test_a_group_that_could_not_grow_is_left_alone_and_another_zone_grows() -> None:
    pods = [_pod("one"), _pod("two", "3500m")]
    pool = _pool("g", 0, most=5)
    first, second = (group.path for group in pool.groups)
    assert _grown(plan.scale_up([pool], [], pods, {first})) == {"g-b": 2}
    found = plan.scale_up([pool], [], [_pod("one")], {first, second})
    ((_, reasons),) = found.unschedulable
    assert reasons == "2 in backoff after failed scale-up"


def test_a_group_waits_longer_after_each_failure_and_not_after_it_grew() -> None:
    backoff = Backoff()
    backoff.failed("a", 0.0)
    assert backoff.groups(29.0) == {"a"}
    assert backoff.groups(31.0) == frozenset()
    backoff.failed("a", 100.0)
    assert backoff.groups(159.0) == {"a"}
    for _ in range(9):
        backoff.failed("a", 200.0)
    assert backoff.groups(381.0) == frozenset()
    backoff.grew("a")
    backoff.failed("a", 400.0)
    assert backoff.groups(431.0) == frozenset()


def _slice(size: int) -> ScalingPool:
    """A TPU slice of four nodes."""
    [group, _] = _pool("s", size, most=4).groups
    return ScalingPool(name="s", groups=(replace(group, step=4),), min=0, max=4, is_total=False)


def test_a_tpu_slice_comes_and_goes_as_a_whole() -> None:
    pods = [_pod(f"p{index}", "3") for index in range(3)]
    assert _grown(plan.scale_up([_slice(0)], [], pods)) == {"s-a": 4}
    found = plan.scale_up([_slice(4)], [], pods)
    assert not found.growth
    assert {reason for _, reason in found.unschedulable} == {"1 max node group size reached"}
    nodes = [_node("s", "a") for _ in range(4)]
    for index, node in enumerate(nodes):
        node["metadata"] = node["metadata"] | {"name": f"s-a-{index}"}
    assert not removal.idle([_slice(4)], nodes, [_pod("p", "100m", node="s-a-0")], [])
    [(name, group)] = removal.idle([_slice(4)], nodes, [], []).items()
    assert (name, group.size - group.step) == ("s-a-3", 0)
