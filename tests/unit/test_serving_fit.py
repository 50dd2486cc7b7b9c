"""Requests against node pools: what fits where, and what GPUs can pay for."""

from typing import Any, Literal

import msgspec
import pytest

from gkeplatform.contracts import NodePool, NodeTaint
from gkeplatform.errors import PlatformError
from infra.serving.catalog import placements
from infra.serving.config import ServingConfig
from infra.serving.placement import Placement
from infra.serving.placement.demand import of_pod
from infra.serving.placement.fit import fitting, nearest, replicas_on, shortages

GIB = 2**30
Effect = Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]


def taint(key: str, value: str, effect: Effect) -> NodeTaint:
    return NodeTaint(key=key, value=value, effect=effect)


def pool_of(name: str, **told: Any) -> NodePool:
    return NodePool(name=name, machine_type="any", zones=("a",), min_nodes=0, **told)


GENERAL = pool_of("general", cpu_millis=3900, memory_bytes=12 * GIB, max_nodes=6)
BATCH = pool_of(
    "batch",
    cpu_millis=15800,
    memory_bytes=56 * GIB,
    max_nodes=4,
    taints=(taint("workload", "batch", "NoSchedule"),),
)
L4 = pool_of(
    "gpu", cpu_millis=7900, memory_bytes=28 * GIB, accelerator="nvidia-l4", gpus=1, max_nodes=4
)
L4X2 = pool_of(
    "gpu-large",
    cpu_millis=23800,
    memory_bytes=87 * GIB,
    accelerator="nvidia-l4",
    gpus=2,
    max_nodes=2,
    taints=(
        taint("nvidia.com/gpu", "present", "NoSchedule"),
        taint("team", "vision", "NoExecute"),
        taint("soft", "yes", "PreferNoSchedule"),
    ),
)
POOLS = (GENERAL, BATCH, L4, L4X2)


def entry(**changes: Any) -> dict[str, Any]:
    return {
        "name": "words",
        "server": "triton",
        "source": "gs://acme-ml-dev-models/words",
        "files": {"via": "download", "size": "5Gi"},
        "replicas": {"min": 2, "max": 2},
        "resources": wanting("1", "4Gi", 1),
        "exposure": {"kind": "cluster-ip"},
    } | changes


def wanting(cpu: str, memory: str, gpus: int = 0, kind: str = "nvidia-l4") -> dict[str, Any]:
    amounts = {"cpu": cpu, "memory": memory}
    gpu = {"gpu": {"type": kind, "count": gpus}} if gpus else {}
    return {"requests": amounts, "limits": amounts, **gpu}


def catalog(*entries: dict[str, Any], **changes: Any) -> ServingConfig:
    return msgspec.convert({"models": list(entries), **changes}, ServingConfig)


def placed(*entries: dict[str, Any], pools: tuple[NodePool, ...] = POOLS) -> dict[str, Placement]:
    return placements(catalog(*entries), pools)


def names(model: dict[str, Any]) -> list[str]:
    return [pool.name for pool in fitting(catalog(model).workloads[0], POOLS)]


@pytest.mark.parametrize(
    ("changes", "pools"),
    [
        ({"resources": wanting("2", "8Gi")}, ["general"]),
        ({"resources": wanting("2", "8Gi"), "node_pool": "batch"}, ["batch"]),
        ({"resources": wanting("2", "8Gi"), "node_pool": "gpu"}, ["gpu"]),
        ({"resources": wanting("2", "8Gi", 1)}, ["gpu", "gpu-large"]),
        ({"resources": wanting("2", "40Gi", 1)}, ["gpu-large"]),
        ({"resources": wanting("2", "8Gi", 2)}, ["gpu-large"]),
    ],
)
def test_a_replica_may_run_where_it_fits(changes: dict[str, Any], pools: list[str]) -> None:
    assert names(entry(**changes)) == pools


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"resources": wanting("2", "8Gi", 4)},
            "resources: a replica asks for 4 x nvidia-l4, 2 cores, 8 GiB and fits no node pool; "
            "the nearest is gpu-large: a node has 2 GPUs, 4 asked; ask for at most 2 x nvidia-l4, "
            "23.8 cores, 87 GiB",
        ),
        (
            {"resources": wanting("10", "8Gi", 1, "nvidia-l5")},
            'models[0].resources.gpu.type: no node pool has "nvidia-l5"; did you mean "nvidia-l4"? '
            "known here: nvidia-l4; or add a pool",
        ),
        (
            {"resources": wanting("5", "14Gi")},
            "the nearest is batch: it is tainted workload=batch unless node_pool names it; set "
            "node_pool: batch (others: general, gpu, gpu-large)",
        ),
        (
            {"resources": wanting("90", "100Gi"), "node_pool": "general"},
            "a node has 3.9 cores for pods, 90 asked; a node has 12 GiB for pods, 100 GiB asked; "
            "ask for at most 3.9 cores, 12 GiB",
        ),
        (
            {"node_pool": "general"},
            "models[0].node_pool: pool general cannot take a replica, which asks for 1 x "
            "nvidia-l4, 1 cores, 4 GiB: it has no GPUs, not nvidia-l4; pool gpu can",
        ),
    ],
)
def test_what_fits_nowhere_is_refused_with_the_nearest(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(PlatformError) as refused:
        names(entry(**changes))
    assert said in str(refused.value)


def test_a_model_without_gpus_is_kept_off_nodes_that_have_some_or_are_tainted() -> None:
    (model,) = catalog(entry(resources=wanting("6", "20Gi"))).workloads
    assert "kept for models with GPUs" in shortages(model, L4)[0]
    assert "tainted workload=batch" in shortages(model, BATCH)[0]
    assert nearest(model, POOLS).name in {"general", "batch"}


def test_replicas_on_a_pool_are_counted_by_whole_nodes() -> None:
    (model,) = catalog(entry(resources=wanting("2", "8Gi"))).workloads
    assert replicas_on(of_pod(model), GENERAL) == 6
    (large,) = catalog(entry(resources=wanting("8", "8Gi", 1))).workloads
    assert replicas_on(of_pod(large), L4X2) == 4


def test_tolerations_are_those_of_the_pools_that_fit() -> None:
    both = placed(entry())["words"].tolerations
    assert both[0] == {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    assert [one["key"] for one in both] == ["nvidia.com/gpu", "team"]
    assert placed(entry(resources=wanting("1", "2Gi")))["words"].tolerations == ()
    kept = placed(entry(resources=wanting("1", "2Gi"), node_pool="batch"))["words"].tolerations
    assert kept == (
        {"key": "workload", "operator": "Equal", "value": "batch", "effect": "NoSchedule"},
    )


def surge(*entries: dict[str, Any], gpus: int) -> list[tuple[int, int]]:
    pool = pool_of(
        "gpu",
        cpu_millis=7900,
        memory_bytes=28 * GIB,
        accelerator="nvidia-l4",
        gpus=1,
        max_nodes=gpus,
    )
    planned = placed(*entries, pools=(GENERAL, pool))
    return [(p.rolling_update.surge, p.rolling_update.unavailable) for p in planned.values()]


def test_a_surge_needs_a_gpu_that_is_not_in_use() -> None:
    assert surge(entry(), gpus=3) == [(1, 0)]
    assert surge(entry(), gpus=2) == [(0, 1)]
    # One is left: it pays for one model's surge.
    assert surge(entry(), entry(name="more"), gpus=5) == [(1, 0), (0, 1)]
    assert surge(entry(resources=wanting("1", "4Gi")), gpus=0) == [(1, 0)]


def test_a_team_s_quota_of_gpus_must_pay_for_a_surge_too() -> None:
    config = catalog(
        entry(team="vision"),
        teams=[{"name": "vision", "quota": {"cpu": "9", "memory": "64Gi", "gpus": 2}}],
    )
    assert placements(config, POOLS)["words"].rolling_update.surge == 0


@pytest.mark.parametrize(
    ("entries", "gpus", "said"),
    [
        (
            [entry(replicas={"min": 1, "max": 5}, autoscaling={"cpu_utilization": 50})],
            3,
            r"models\[0\].replicas.max: 5 replicas of 1 x nvidia-l4 are more than the node pools "
            r"can ever hold, 3 \(gpu 3 nodes x 1\); set at most 3",
        ),
        (
            [entry(rollout={"max_surge": 1})],
            2,
            r"models\[0\].rollout.max_surge: 2 replicas and a surge of 1 .* set max_surge: 0 and "
            "max_unavailable: 1",
        ),
        (
            [entry(rollout={"max_unavailable": 0})],
            2,
            r"models\[0\].rollout.max_unavailable: 0 needs a surge of 1 nvidia-l4, .* 0 are left",
        ),
        (
            [entry(), entry(name="more")],
            3,
            r"at replicas.min the models need 4 nvidia-l4 \(words 2 x 1 \+ more 2 x 1\), and the "
            r"node pools have 3 at most \(gpu 3 nodes x 1\)",
        ),
    ],
)
def test_more_than_the_gpus_can_pay_for_is_refused(
    entries: list[dict[str, Any]], gpus: int, said: str
) -> None:
    with pytest.raises(PlatformError, match=said):
        surge(*entries, gpus=gpus)
