"""Compute classes: pools in an order of preference, the models on them, and what is refused."""

from typing import Any

import msgspec
import pytest

from gkeplatform.contracts import COMPUTE_CLASS, ClusterContract, ComputeClass, NodePool, NodeTaint
from gkeplatform.errors import PlatformError
from infra.cluster.compute_classes import bound, published
from infra.cluster.config import ClusterConfig
from infra.serving.catalog import placements
from infra.serving.config import ServingConfig
from infra.serving.models.pod import template
from infra.serving.placement import classes
from infra.serving.placement.compute_classes import spec

GIB = 2**30


def pool(name: str, accelerator: str = "nvidia-l4", class_: str = "gpus", **told: Any) -> NodePool:
    taints = (NodeTaint(key=COMPUTE_CLASS, value=class_, effect="NoSchedule"),) if class_ else ()
    shape = {"cpu_millis": 7900, "memory_bytes": 28 * GIB, "min_nodes": 0, "max_nodes": 1}
    return NodePool(
        name=name,
        machine_type="any",
        zones=("a", "b"),
        accelerator=accelerator,
        gpus=1 if accelerator else 0,
        labels={COMPUTE_CLASS: class_} if class_ else {},
        taints=taints,
        **shape | told,
    )


GENERAL = pool("general", "", "", max_nodes=3)
L4, A100 = pool("l4"), pool("a100", "nvidia-tesla-a100")


def cluster(*pools: NodePool, **told: Any) -> ClusterContract:
    values: dict[str, Any] = {
        "name": "acme",
        "location": "europe-west4",
        "zones": ["a", "b"],
        "kubeconfig": "",
        "network": "",
        "workload_pool": "",
        "node_pools": [msgspec.to_builtins(one) for one in pools],
        "node_tag": "",
        "instance_groups": [],
        "version": "1.33.5-gke.1080000",
        "compute_classes": [{"name": "gpus", "priorities": [["l4"], ["a100"]]}],
    }
    return msgspec.convert(values | told, ClusterContract, dec_hook=lambda kind, value: kind(value))


def entry(**changes: Any) -> dict[str, Any]:
    amounts = {"cpu": "4", "memory": "20Gi"}
    return {
        "name": "assistant",
        "server": "vllm",
        "source": "gs://acme-ml-dev-models/assistant",
        "files": {"via": "download", "size": "5Gi"},
        "replicas": {"min": 2, "max": 2},
        "resources": {"requests": amounts, "limits": amounts, "gpu": {"count": 1}},
        "compute_class": "gpus",
        "exposure": {"kind": "cluster-ip"},
    } | changes


def catalog(*entries: dict[str, Any]) -> ServingConfig:
    return msgspec.convert({"models": list(entries)}, ServingConfig)


def check(*pools: NodePool, told: dict[str, Any] | None = None, **changes: Any) -> None:
    config = catalog(entry(**changes))
    models = {one.key: model for one, model in zip(config.entries, config.models, strict=True)}
    classes.check(config.workloads, models, cluster(*pools, **told or {}))


def refusal(*pools: NodePool, told: dict[str, Any] | None = None, **changes: Any) -> str:
    with pytest.raises(PlatformError) as caught:
        check(*pools, told=told, **changes)
    return str(caught.value)


def test_a_pod_selects_the_class_alone_and_tolerates_what_its_nodes_have() -> None:
    config = catalog(entry())
    [workload] = config.workloads
    placed = placements(config, (GENERAL, L4, A100))["assistant"]
    spec = template(workload, labels={}, account="x", tolerations=placed.tolerations)["spec"]
    assert spec["nodeSelector"] == {COMPUTE_CLASS: "gpus"}
    assert "affinity" not in spec
    assert {one["key"] for one in spec["tolerations"]} == {"nvidia.com/gpu", COMPUTE_CLASS}


def test_a_model_of_a_class_may_fill_all_of_its_pools() -> None:
    # Two nodes of each pool, whatever their GPUs.
    assert placements(catalog(entry(replicas={"min": 4, "max": 4})), (GENERAL, L4, A100))
    with pytest.raises(PlatformError, match="are more than the node pools can ever hold, 4"):
        placements(catalog(entry(replicas={"min": 5, "max": 5})), (GENERAL, L4, A100))


def test_pools_of_a_class_are_for_its_models_only() -> None:
    plain = entry(
        compute_class=None,
        resources={
            "requests": {"cpu": "1", "memory": "4Gi"},
            "limits": {"memory": "4Gi"},
            "gpu": {"type": "nvidia-l4"},
        },
    )
    with pytest.raises(PlatformError, match=r"set compute_class: gpus, and remove type"):
        placements(catalog(plain), (GENERAL, L4, A100))
    named = entry(compute_class=None, node_pool="l4", server="triton")
    named["resources"] = {"requests": {"cpu": "1", "memory": "2Gi"}, "limits": {"memory": "2Gi"}}
    with pytest.raises(PlatformError, match="kept for models with compute_class: gpus"):
        placements(catalog(named), (GENERAL, L4, A100))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"node_pool": "l4"}, "node_pool: compute_class chooses among its pools"),
        (
            {"resources": entry()["resources"] | {"gpu": {"type": "nvidia-l4"}}},
            "takes any GPU of compute_class gpus; remove type",
        ),
        ({"compute_class": None}, "resources.gpu.type: missing"),
    ],
)
def test_an_entry_that_contradicts_itself_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=said):
        catalog(entry(**changes))


def test_a_class_that_every_pool_of_fits_passes() -> None:
    check(GENERAL, L4, A100)


def test_a_class_that_the_cluster_lacks_is_refused() -> None:
    assert 'has no class "gpu"; did you mean "gpus"?' in refusal(L4, compute_class="gpu")
    assert "it has none" in refusal(L4, told={"compute_classes": []})


def test_a_cluster_without_the_kind_is_refused() -> None:
    said = refusal(L4, told={"version": "1.29.9-gke.2000000"})
    assert "need GKE 1.30.3-gke.1451000 or later" in said
    check(L4, told={"version": ""})


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (pool("small", memory_bytes=14 * GIB), "has 14 GiB for pods, 20 GiB asked"),
        (pool("none", ""), "it has no GPUs"),
        (
            pool("shared", gpu_sharing="TIME_SHARING", gpu_clients=2),
            "TIME_SHARING share of GPU of class gpus",
        ),
        (pool("parts", gpu_partition="1g.5gb"), "1g.5gb partition of GPU of class gpus"),
    ],
)
def test_a_choice_that_the_replica_does_not_fit_is_refused(other: NodePool, said: str) -> None:
    found = refusal(L4, other)
    assert f"compute_class: pool {other.name} of class gpus cannot take a replica" in found
    assert said in found


def test_a_model_that_one_type_of_gpu_cannot_hold_is_refused_with_the_arithmetic() -> None:
    size = {"model": "Qwen/Qwen2.5-14B-Instruct"}
    arguments = ["--max-model-len=4096"]
    check(A100, pool("big", "nvidia-a100-80gb"), size=size, arguments=arguments)
    found = refusal(A100, L4, size=size, arguments=arguments)
    assert "pool l4 of class gpus: resources.gpu: Qwen/Qwen2.5-14B-Instruct does not fit" in found


def test_a_canary_is_checked_as_well() -> None:
    config = catalog(
        entry(
            exposure={"kind": "http-load-balancer", "paths": ["/v1/models/assistant"]},
            canary={
                "weights": {"stable": 90, "canary": 10},
                "arguments": ["--max-model-len=4096"],
                "replicas": {"min": 1, "max": 1},
            },
        )
    )
    assert [one.compute_class for one in config.workloads] == ["gpus", "gpus"]


def test_models_without_accelerators_may_have_a_class() -> None:
    cheap = (pool("spot", "", "cheap", spot=True), pool("standard", "", "cheap"))
    model = entry(compute_class="cheap", server="triton")
    model["resources"] = {"requests": {"cpu": "1", "memory": "2Gi"}, "limits": {"memory": "2Gi"}}
    [placed] = placements(catalog(model), (GENERAL, *cheap)).values()
    assert [one["key"] for one in placed.tolerations] == [COMPUTE_CLASS]


def test_the_object_names_pools_and_nothing_else() -> None:
    one = ComputeClass(name="gpus", priorities=(("l4", "l4-spot"), ("a100",)))
    assert spec(one) == {
        "priorities": [{"nodepools": ["l4", "l4-spot"]}, {"nodepools": ["a100"]}],
        "activeMigration": {"optimizeRulePriority": True},
        "nodePoolAutoCreation": {"enabled": False},
        "whenUnsatisfiable": "DoNotScaleUp",
    }


def config(*, pools: list[dict[str, Any]] | None = None, **changes: Any) -> ClusterConfig:
    shape = {"machine_type": "n2-standard-4", "max_nodes": 1}
    values = {
        "network": {
            "nodes_cidr": "10.10.0.0/20",
            "pods_cidr": "10.64.0.0/14",
            "services_cidr": "10.80.0.0/20",
        },
        "cluster": {
            "zones": ["europe-west4-a"],
            "control_plane_cidr": "172.16.0.0/28",
            "authorized_networks": [{"name": "office", "cidr": "198.51.100.0/24"}],
        },
        "node_pools": pools or [{"name": one, **shape} for one in ("general", "first", "second")],
        "compute_classes": [
            {
                "name": "cheap",
                "priorities": [{"node_pools": ["first"]}, {"node_pools": ["second"]}],
            }
        ],
    }
    return msgspec.convert(values | changes, ClusterConfig)


def test_pools_of_a_class_have_its_label_and_taint() -> None:
    found = config()
    general, first, _ = bound(found.node_pools, found.compute_classes)
    assert (general.labels, general.taints) == ({}, ())
    assert first.labels == {COMPUTE_CLASS: "cheap"}
    assert [(t.key, t.value, t.effect) for t in first.taints] == [
        (COMPUTE_CLASS, "cheap", "NO_SCHEDULE")
    ]
    [one] = published(found.compute_classes)
    assert (one.priorities, one.active_migration) == ((("first",), ("second",)), True)


def of(*names: str, name: str = "cheap") -> dict[str, Any]:
    return {"name": name, "priorities": [{"node_pools": [one]} for one in names]}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([of("first", "third")], r'priorities\[1\].node_pools\[0\]: there is no pool "third"'),
        ([of("first", "first")], 'pool "first" is listed twice'),
        ([of("first"), of("first", name="other")], 'pool "first" is in class cheap already'),
        ([of("first"), of("second")], 'two classes are named "cheap"'),
        ([of("first", name="autopilot")], '"autopilot" is a name that GKE gives'),
        ([of("general", "first", "second")], "every node pool is in a class"),
        ([{"name": "cheap", "priorities": []}], "length >= 1"),
    ],
)
def test_classes_that_their_pools_contradict_are_refused(
    given: list[dict[str, Any]], said: str
) -> None:
    with pytest.raises(msgspec.ValidationError, match=said):
        config(compute_classes=given)


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ({"labels": {COMPUTE_CLASS: "cheap"}}, r"node_pools\[1\].labels: .* is set for the pools"),
        ({"taints": [{"key": COMPUTE_CLASS}]}, r"node_pools\[1\].taints: .* is set for the pools"),
        ({"queued": True, "accelerator": {"type": "nvidia-l4"}}, "ProvisioningRequest only"),
    ],
)
def test_pools_that_cannot_be_in_a_class_are_refused(own: dict[str, Any], said: str) -> None:
    shape = {"machine_type": "n2-standard-4", "max_nodes": 1}
    pools = [{"name": "general", **shape}, {"name": "first", **shape, **own}]
    with pytest.raises(msgspec.ValidationError, match=said):
        config(pools=pools, compute_classes=[of("first")])
