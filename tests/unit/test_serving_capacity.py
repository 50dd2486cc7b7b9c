"""Shares of GPUs, TPUs, disks and zones: what the pools can hold, and where pods may run."""

from typing import Any

import msgspec
import pytest

from facts.allocatable import allocatable_disk_gib
from gkeplatform.contracts import NodePool
from gkeplatform.errors import PlatformError
from infra.cluster import capacity, machines
from infra.cluster.fixed_settings import spans_nodes
from infra.cluster.pool_settings import NodePoolArgs
from infra.serving.catalog import placements
from infra.serving.config import ServingConfig
from infra.serving.models import pod
from infra.serving.placement import Placement
from infra.serving.placement.spread import fits_together, room, zone_capacities
from tests.unit.entries import BASE, VLLM

GIB = 2**30
ZONES = ("europe-west4-a",)
L4: dict[str, Any] = {
    "name": "l4",
    "machine_type": "g2-standard-8",
    "max_nodes": 4,
    "accelerator": {"type": "nvidia-l4"},
}
SHARED = L4 | {
    "name": "shared",
    "accelerator": {"type": "nvidia-l4", "sharing": {"strategy": "TIME_SHARING", "clients": 4}},
}
GENERAL: dict[str, Any] = {"name": "general", "machine_type": "n2-standard-8", "max_nodes": 3}
V6E: dict[str, Any] = {
    "name": "v6e",
    "machine_type": "ct6e-standard-4t",
    "max_nodes": 2,
    "disk_type": "hyperdisk-balanced",
}
TPU = {"type": "tpu-v6e-slice", "topology": "2x2"}


def vllm(*, gpu: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    resources = {**VLLM["resources"], "gpu": {"type": "nvidia-l4", **(gpu or {})}}
    return {**VLLM, "resources": resources, **changes}


def on_tpu(tpu: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    resources = dict(vllm()["resources"], tpu=TPU | (tpu or {}))
    del resources["gpu"]
    return vllm(resources=resources, image="vllm/vllm-tpu:v0.12.0", **changes)


def base(**changes: Any) -> dict[str, Any]:
    return {**BASE, **changes}


def pools_of(*given: dict[str, Any], zones: tuple[str, ...] = ZONES) -> tuple[NodePool, ...]:
    return tuple(capacity.pool(msgspec.convert(one, NodePoolArgs), zones) for one in given)


def catalog(*entries: dict[str, Any]) -> ServingConfig:
    return msgspec.convert({"models": list(entries)}, ServingConfig)


def placed(entry: dict[str, Any], *pools: dict[str, Any]) -> Placement:
    return placements(catalog(entry), pools_of(*pools))["m1"]


def refusal(entry: dict[str, Any], *pools: dict[str, Any]) -> str:
    with pytest.raises((PlatformError, msgspec.ValidationError)) as refused:
        placed(entry, *pools)
    return str(refused.value)


def spec(entry: dict[str, Any]) -> dict[str, Any]:
    template = pod.template(catalog(entry).workloads[0], labels={}, account="a")
    found: dict[str, Any] = template["spec"]
    return found


# Shares of GPUs


@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize(
    ("sharing", "said"),
    [
        ({"sharing": {"strategy": "TIME_SHARING", "clients": 4}}, "TIME_SHARING share of"),
        ({"sharing": {"strategy": "MPS", "clients": 4}}, "MPS share of"),
    ],
)
def test_a_model_of_whole_gpus_never_gets_a_share(
    sharing: dict[str, Any], said: str, count: int
) -> None:
    pool = L4 | {"accelerator": {"type": "nvidia-l4", **sharing}}
    told = refusal(vllm(gpu={"count": count}), pool)
    assert f"it has {said} nvidia-l4, not nvidia-l4" in told
    assert "gpu.sharing: {strategy: " in told


def test_a_model_of_whole_gpus_is_placed_on_the_pool_that_has_them() -> None:
    assert placed(vllm(), SHARED, L4)
    assert placed(vllm(replicas={"min": 4, "max": 4}), SHARED, L4)
    assert "can ever hold, 4" in refusal(vllm(replicas={"min": 5, "max": 5}), SHARED, L4)
    terms = spec(vllm())["affinity"]["nodeAffinity"][
        "requiredDuringSchedulingIgnoredDuringExecution"
    ]["nodeSelectorTerms"]
    assert terms == [
        {
            "matchExpressions": [
                {
                    "key": "cloud.google.com/gke-gpu-sharing-strategy",
                    "operator": "DoesNotExist",
                },
                {"key": "cloud.google.com/gke-gpu-partition-size", "operator": "DoesNotExist"},
            ]
        }
    ]


def test_a_model_asks_for_a_share() -> None:
    share = vllm(gpu={"sharing": {"clients": 4}})
    assert placed(share, SHARED)
    assert "it has nvidia-l4, not TIME_SHARING share" in refusal(share, L4)
    assert "4 pods share a GPU, not 8" in refusal(vllm(gpu={"sharing": {"clients": 8}}), SHARED)
    found = spec(share)
    assert found["nodeSelector"] == {
        "cloud.google.com/gke-accelerator": "nvidia-l4",
        "cloud.google.com/gke-gpu-sharing-strategy": "time-sharing",
        "cloud.google.com/gke-max-shared-clients-per-gpu": "4",
    }
    assert found["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"


def test_a_model_asks_for_a_partition() -> None:
    kind = {"type": "nvidia-tesla-a100", "partition": "3g.20gb"}
    pool = {
        "name": "mig",
        "machine_type": "a2-highgpu-1g",
        "max_nodes": 1,
        "accelerator": kind,
    }
    assert placed(vllm(gpu=kind, replicas={"min": 2, "max": 2}), pool)
    assert "can ever hold, 2" in refusal(vllm(gpu=kind, replicas={"min": 3, "max": 3}), pool)
    assert "it has 3g.20gb partition of" in refusal(vllm(gpu={"type": kind["type"]}), pool)
    other = refusal(vllm(gpu=kind | {"partition": "1g.5gb"}), pool)
    assert "not 1g.5gb partition of nvidia-tesla-a100" in other
    selector = spec(vllm(gpu=kind))["nodeSelector"]
    assert selector["cloud.google.com/gke-gpu-partition-size"] == "3g.20gb"


@pytest.mark.parametrize(
    ("gpu", "said"),
    [
        ({"count": 4, "sharing": {}}, "a pod can have one TIME_SHARING share only"),
        ({"count": 2, "partition": "1g.5gb"}, "a pod can have one 1g.5gb partition only"),
        ({"sharing": {"strategy": "MPS"}}, "MPS needs hostIPC"),
    ],
)
def test_what_no_pod_can_have_is_refused(gpu: dict[str, Any], said: str) -> None:
    assert said in refusal(vllm(gpu=gpu), SHARED)


# Disks


def test_a_pool_publishes_the_disk_that_gke_leaves_to_pods() -> None:
    (boot,) = pools_of(L4 | {"disk_size_gb": 100})
    assert boot.ephemeral_bytes == allocatable_disk_gib(100) * GIB == 49 * GIB
    (ssd,) = pools_of(GENERAL | {"local_ssd_count": 2})
    assert ssd.ephemeral_bytes == allocatable_disk_gib(100, local_ssds=2) * GIB == 600 * GIB


def beside(disk: str) -> dict[str, Any]:
    """A further container that states its ephemeral storage."""
    amounts = {"cpu": "100m", "memory": "64Mi", "ephemeral-storage": disk}
    return {
        "name": "beside",
        "image": "registry.example/beside:1",
        "resources": {"requests": amounts, "limits": amounts},
    }


@pytest.mark.parametrize(
    ("changes", "asked"),
    [
        ({"files": {"via": "gcs-fuse", "cache": "2Ti"}}, "2063 GiB"),
        ({"files": {"via": "download", "size": "500Gi"}}, "510.2 GiB"),
        ({"server": "triton", "files": {"via": "direct"}, "temporary_storage": "60Gi"}, "60.25"),
        ({"temporary_storage": "45Gi"}, "50.25 GiB"),
        ({"files": {"via": "gcs-fuse", "sidecar": {"ephemeral_storage": "40Gi"}}}, "50.25 GiB"),
        ({"pod": {"writable": {"/cache": "30Gi", "/work": "10Gi"}}}, "55.25 GiB"),
        ({"pod": {"volumes": [{"name": "v", "empty_dir": "60Gi"}]}}, "75.25 GiB"),
        ({"pod": {"containers": [beside("40Gi")]}}, "55.25 GiB"),
        ({"pod": {"init_containers": [beside("60Gi")]}}, "65 GiB"),
        (
            {"pod": {"init_containers": [beside("40Gi") | {"restartPolicy": "Always"}]}},
            "55.25 GiB",
        ),
    ],
)
def test_what_fits_no_disk_is_refused_with_the_largest(changes: dict[str, Any], asked: str) -> None:
    larger = L4 | {"name": "larger", "disk_size_gb": 100}
    told = refusal(vllm(**changes), L4 | {"disk_size_gb": 50}, larger)
    assert f"the nearest is larger: a node has 49 GiB of disk for pods, {asked}" in told
    assert "ask for at most 49 GiB of disk" in told
    assert "disk_size_gb" in told


def test_a_larger_disk_or_local_ssds_take_it() -> None:
    wanted = vllm(files={"via": "download", "size": "500Gi"})
    assert placed(wanted, L4 | {"disk_size_gb": 1000})
    assert placed(wanted, L4 | {"local_ssd_count": 2})


def test_replicas_on_a_node_share_its_disk() -> None:
    """Cores and memory would do for four on each of three nodes, the disk for two."""
    wanted = base(
        server="triton",
        files={"via": "download", "size": "20Gi"},
        resources={kind: {"cpu": "1", "memory": "2Gi"} for kind in ("requests", "limits")},
        replicas={"min": 7, "max": 7},
    )
    assert "can ever hold, 6" in refusal(wanted, GENERAL)


@pytest.mark.parametrize(
    ("entry", "server", "tmp"),
    [
        (vllm(), "10496Mi", "10Gi"),
        (vllm(files={"via": "download", "size": "60Gi"}), "71936Mi", "10Gi"),
        (vllm(temporary_storage="30Gi"), "30976Mi", "30Gi"),
        (base(), "1280Mi", "1Gi"),
        (base(server="triton", files={"via": "direct"}), "20736Mi", "20Gi"),
        (base(pod={"writable": {"/cache": "1Gi"}}), "2304Mi", "1Gi"),
        (base(pod={"volumes": [{"name": "v", "empty_dir": "2Gi"}]}), "3328Mi", "1Gi"),
        (base(pod={"volumes": [{"name": "v", "ephemeral": {"size": "9Gi"}}]}), "1280Mi", "1Gi"),
        (base(server="triton", files={"via": "download", "size": "5G"}), "6049Mi", "1Gi"),
    ],
)
def test_ephemeral_storage_is_requested_and_limited(
    entry: dict[str, Any], server: str, tmp: str
) -> None:
    roomy = entry["resources"]["limits"] | {"memory": "16Gi"}
    found = spec(entry | {"resources": entry["resources"] | {"limits": roomy}})
    resources = found["containers"][0]["resources"]
    assert resources["requests"]["ephemeral-storage"] == server
    assert resources["limits"]["ephemeral-storage"] == server
    volumes = {one["name"]: one for one in found["volumes"]}
    assert volumes["tmp"]["emptyDir"] == {"sizeLimit": tmp}


@pytest.mark.parametrize(
    ("files", "cpu", "memory", "disk"),
    [
        ({}, "250m", "256Mi", "5120Mi"),
        ({"cache": "40Gi"}, "1", "1Gi", "46080Mi"),
        ({"sidecar": {"cpu": "2", "memory": "4Gi"}}, "2", "4Gi", "5120Mi"),
        ({"cache": "1Gi", "sidecar": {"ephemeral_storage": "9Gi"}}, "1", "1Gi", "9Gi"),
    ],
)
def test_the_fuse_sidecar_follows_the_cache(
    files: dict[str, Any], cpu: str, memory: str, disk: str
) -> None:
    workload = catalog(vllm(files={"via": "gcs-fuse"} | files)).workloads[0]
    found = pod.template(workload, labels={}, account="a")["metadata"]["annotations"]
    assert found == {
        "gke-gcsfuse/volumes": "true",
        **{f"gke-gcsfuse/cpu-{kind}": cpu for kind in ("request", "limit")},
        **{f"gke-gcsfuse/memory-{kind}": memory for kind in ("request", "limit")},
        **{f"gke-gcsfuse/ephemeral-storage-{kind}": disk for kind in ("request", "limit")},
    }


def test_a_sidecar_too_small_for_its_cache_is_refused() -> None:
    files = {"via": "gcs-fuse", "cache": "9Gi", "sidecar": {"ephemeral_storage": "9Gi"}}
    assert "holds the cache of 9Gi too" in refusal(vllm(files=files), L4)


# Zones


def zonal(first: int, second: int, **more: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    one = {"name": "l4a", "zones": ["europe-west4-a"], "max_nodes": first}
    two = {"name": "l4b", "zones": ["europe-west4-b"], "max_nodes": second}
    return L4 | one | more, L4 | two | more


def replicas(count: int, **more: Any) -> dict[str, Any]:
    return vllm(replicas={"min": count, "max": count}, **more)


def test_a_required_spread_limits_the_replicas() -> None:
    told = refusal(replicas(4), *zonal(4, 1))
    assert "models[0].replicas.max: 4 replicas of 1 x nvidia-l4 spread over zones" in told
    assert "can ever hold, 3 (by zone: europe-west4-a 4, europe-west4-b 1)" in told
    assert "set at most 3, set spread: {zones: preferred}, or raise max_nodes" in told
    assert placed(replicas(3), *zonal(4, 1))
    assert placed(replicas(4, spread={"zones": "preferred"}), *zonal(4, 1))
    assert placed(replicas(4, spread={"zones": "off"}), *zonal(4, 1))
    assert placed(replicas(4, spread={"max_skew": 2}), *zonal(4, 1))
    assert placed(replicas(4), *zonal(2, 2))


def test_a_pool_of_several_zones_has_its_nodes_in_each() -> None:
    both = L4 | {"zones": ["europe-west4-a", "europe-west4-b"], "max_nodes": 2}
    one = L4 | {"name": "more", "zones": ["europe-west4-a"], "max_nodes": 9}
    assert placed(replicas(5), both, one)
    assert "can ever hold, 5 (by zone: europe-west4-a 11, " in refusal(replicas(6), both, one)


def test_a_zone_whose_nodes_are_too_small_counts_for_the_spread() -> None:
    small = {"name": "small", "machine_type": "e2-medium", "zones": ["europe-west4-b"]}
    large = {"name": "large", "machine_type": "n2-standard-8", "zones": ["europe-west4-a"]}
    pools = (GENERAL | large, GENERAL | small)
    amounts = {"cpu": "3", "memory": "8Gi"}
    resources = {"requests": amounts, "limits": amounts}
    two = base(resources=resources, replicas={"min": 2, "max": 2})
    told = refusal(two, *pools)
    assert "models[0].replicas.min: 2 replicas spread over zones" in told
    assert "can ever hold, 1 (by zone: europe-west4-a 6, europe-west4-b 0)" in told
    assert placed(two | {"node_pool": "large"}, *pools)


def test_a_required_spread_over_nodes_limits_the_replicas() -> None:
    wide = L4 | {
        "name": "wide",
        "machine_type": "g2-standard-96",
        "max_nodes": 1,
        "disk_size_gb": 500,
        "accelerator": {"type": "nvidia-l4", "count": 8},
    }
    narrow = L4 | {"max_nodes": 1}
    assert placed(replicas(9), narrow, wide)
    over_nodes = {"zones": "off", "nodes": "required"}
    assert placed(replicas(3, spread=over_nodes), narrow, wide)
    told = refusal(replicas(4, spread=over_nodes), narrow, wide)
    assert "4 replicas of 1 x nvidia-l4 spread over nodes (max_skew 1)" in told
    assert "can ever hold, 3 (" in told
    assert "set spread: {nodes: preferred}" in told


def test_a_surge_counts() -> None:
    told = refusal(replicas(3, rollout={"max_surge": 1}), *zonal(4, 1))
    assert "3 replicas and a surge of 1 are more than the node pools can ever hold, 3" in told
    assert "set max_surge: 0 and max_unavailable: 1" in told
    assert placed(replicas(2, rollout={"max_surge": 1}), *zonal(4, 1))


@pytest.mark.parametrize(
    ("count", "pools", "planned"),
    [(3, (4, 1), (0, 1)), (2, (4, 1), (1, 0)), (4, (2, 2), (0, 1)), (3, (2, 2), (1, 0))],
)
def test_a_rollout_has_a_surge_only_if_the_spread_has_room(
    count: int, pools: tuple[int, int], planned: tuple[int, int]
) -> None:
    """Two nodes are free in one zone of the first case, where the spread allows no third pod."""
    update = placed(replicas(count), *zonal(*pools)).rolling_update
    assert (update.surge, update.unavailable) == planned


def test_both_revisions_count_for_the_spread_where_nodes_are_scarce() -> None:
    for entry, keys in ((vllm(), None), (base(), ["pod-template-hash"])):
        for constraint in spec(entry)["topologySpreadConstraints"]:
            assert constraint.get("matchLabelKeys") == keys


def test_a_model_that_fills_its_nodes_has_no_surge() -> None:
    amounts = {"cpu": "7", "memory": "8Gi"}
    full = base(resources={"requests": amounts, "limits": amounts})
    update = placed(full | {"replicas": {"min": 3, "max": 3}}, GENERAL).rolling_update
    assert (update.surge, update.unavailable) == (0, 1)
    assert placed(full | {"replicas": {"min": 2, "max": 2}}, GENERAL).rolling_update.surge == 1


def test_a_canary_counts() -> None:
    canary = {
        "weights": {"stable": 90, "canary": 10},
        "source": "gs://acme-ml-dev-models/m2",
        "replicas": {"min": 2, "max": 2},
    }
    routed = {
        "exposure": {"kind": "http-load-balancer", "paths": ["/v1/chat/completions"]},
        "canary": canary,
    }
    told = refusal(replicas(3, **routed), *zonal(4, 1))
    assert "models[0].canary.replicas.min: 2 replicas of the canary beside 3" in told
    assert "by zone: europe-west4-a 4, europe-west4-b 1" in told
    assert placed(replicas(1, **routed), *zonal(4, 1))
    assert placed(replicas(3, **routed), *zonal(4, 2))


@pytest.mark.parametrize("first", range(5))
@pytest.mark.parametrize("second", range(4))
@pytest.mark.parametrize("skew", [1, 2])
def test_the_arithmetic_of_the_spread_is_that_of_every_placement(
    first: int, second: int, skew: int
) -> None:
    """Against all ways to put pods into three zones."""
    sizes = {"a": first, "b": second, "c": 3}
    (workload,) = catalog(vllm(spread={"max_skew": skew})).workloads
    ways = [
        (a, b, c)
        for a in range(first + 1)
        for b in range(second + 1)
        for c in range(4)
        if max(a, b, c) - min(a, b, c) <= skew
    ]
    assert room(workload, sizes) == max(map(sum, ways))
    together = {
        (sum(one), sum(two))
        for one in ways
        for two in ways
        if all(x + y <= size for x, y, size in zip(one, two, sizes.values(), strict=True))
    }
    for counts in [(m, n) for m in range(8) for n in range(8)]:
        assert fits_together(workload, counts, sizes) == (counts in together), counts


def test_capacities_are_counted_by_zone() -> None:
    (workload,) = catalog(replicas(1)).workloads
    zones = ("europe-west4-a", "europe-west4-b")
    found = zone_capacities(workload, pools_of(*zonal(4, 1), L4, SHARED, zones=zones))
    assert found == {"europe-west4-a": 8, "europe-west4-b": 5}


# TPUs


def test_a_model_runs_on_a_tpu_slice_of_one_node() -> None:
    placement = placed(on_tpu(replicas={"min": 2, "max": 2}), V6E, GENERAL)
    assert placement.tolerations == (
        {"key": "google.com/tpu", "operator": "Exists", "effect": "NoSchedule"},
    )
    assert (placement.rolling_update.surge, placement.rolling_update.unavailable) == (0, 1)
    found = spec(on_tpu())
    assert found["nodeSelector"] == {
        "cloud.google.com/gke-tpu-accelerator": "tpu-v6e-slice",
        "cloud.google.com/gke-tpu-topology": "2x2",
    }
    for kind in ("requests", "limits"):
        assert found["containers"][0]["resources"][kind]["google.com/tpu"] == "4"


@pytest.mark.parametrize(("tpus", "surge"), [(4, 0), (8, 1)])
def test_a_team_s_quota_of_tpus_must_pay_for_a_surge_too(tpus: int, surge: int) -> None:
    quota = {"cpu": "99", "memory": "999Gi", "tpus": tpus}
    given = {
        "models": [on_tpu(team="vision")],
        "teams": [{"name": "vision", "quota": quota}],
    }
    found = placements(msgspec.convert(given, ServingConfig), pools_of(V6E))
    assert found["m1"].rolling_update.surge == surge


def test_tpus_limit_the_replicas() -> None:
    told = refusal(on_tpu(replicas={"min": 3, "max": 3}), V6E)
    assert "3 replicas of 4 x tpu-v6e-slice 2x2 are more than the node pools can ever hold, 2" in (
        told
    )


def test_models_without_tpus_are_kept_off_their_nodes() -> None:
    assert "it is kept for models with TPUs unless node_pool names it" in refusal(base(), V6E)
    named = placed(base(node_pool="v6e"), V6E)
    assert [one["key"] for one in named.tolerations] == ["google.com/tpu"]
    assert 'no node pool has "nvidia-l4"' in refusal(vllm(), V6E)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (on_tpu({"type": "tpu-v5-lite-podslice"}), 'tpu.type: no node pool has "tpu-v5-lite-pods'),
        (on_tpu({"topology": "1x1"}), "it has tpu-v6e-slice 2x2, not tpu-v6e-slice 1x1"),
        (on_tpu({"chips": 1}), "chips 1: a slice of 2x2 has 4 chips"),
        (on_tpu() | {"image": None}, "is built for GPUs; set image"),
        (vllm(resources=vllm()["resources"] | {"tpu": TPU}), "no machine has both"),
    ],
)
def test_a_wrong_tpu_is_refused(entry: dict[str, Any], said: str) -> None:
    assert said in refusal(entry, V6E)


def test_a_slice_of_several_nodes_takes_no_model() -> None:
    pool = V6E | {"tpu_topology": "2x4"}
    told = refusal(on_tpu({"topology": "2x4"}), pool)
    assert "its slice of 2x4 spans 2 nodes, and hosts is 1; set hosts: 2" in told


def test_a_pool_of_slices_of_one_node_scales_like_any_other() -> None:
    args = msgspec.convert(V6E | {"tpu_topology": "2x2", "max_nodes": 3}, NodePoolArgs)
    machines.check("gke-cluster:node_pools[0]", args, ZONES)
    assert not spans_nodes(args)
    (published,) = pools_of(V6E)
    assert (published.tpu, published.tpus, published.tpu_topology) == ("tpu-v6e-slice", 4, "2x2")


ARM: dict[str, Any] = {
    "name": "arm",
    "machine_type": "c4a-standard-8",
    "max_nodes": 3,
    "disk_type": "hyperdisk-balanced",
}


def test_a_model_does_not_land_on_arm_nodes() -> None:
    assert "its nodes have Arm processors" in refusal(base(), ARM)
    assert "its nodes have Arm processors" in refusal(base(node_pool="arm"), GENERAL, ARM)
    # Without node_pool nothing says that the image is built for them.
    image = "acme/serving:1-arm64"
    assert "is tainted kubernetes.io/arch=arm64 unless node_pool" in refusal(base(image=image), ARM)
    assert placed(base(), GENERAL, ARM).tolerations == ()


def test_a_model_may_ask_for_arm_nodes_with_an_image_for_them() -> None:
    found = placed(base(image="acme/serving:1-arm64", node_pool="arm"), GENERAL, ARM)
    (toleration,) = found.tolerations
    assert (toleration["key"], toleration["value"]) == ("kubernetes.io/arch", "arm64")


def test_arm_nodes_do_not_count_for_the_spread_of_others() -> None:
    entry = base(replicas={"min": 6, "max": 6})
    assert placed(entry, GENERAL, ARM | {"max_nodes": 1})


def test_a_model_has_no_queued_nodes() -> None:
    queued = L4 | {"queued": True}
    assert "created for a ProvisioningRequest" in refusal(vllm(), GENERAL, queued)
    assert placed(vllm(), queued, L4 | {"name": "other"})
    most = vllm(replicas={"min": 5, "max": 5})
    assert "can ever hold, 4" in refusal(most, queued, L4 | {"name": "other"})
