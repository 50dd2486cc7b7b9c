"""Compute classes: pools in an order of preference, the models on them, and what is refused."""

from typing import Any

import msgspec
import pytest

from gkeplatform.contracts import COMPUTE_CLASS, ClusterContract, ComputeClass, NodePool, NodeTaint
from gkeplatform.environment import Environment
from gkeplatform.errors import PlatformError
from gkeplatform.naming import Naming
from infra.cluster import capacity
from infra.cluster.checks import fits
from infra.cluster.compute_classes import bound
from infra.cluster.config import ClusterConfig
from infra.serving.catalog import placements
from infra.serving.config import ServingConfig
from infra.serving.models.pod import template
from infra.serving.placement import classes
from infra.serving.placement.compute_classes import spec

GIB = 2**30
DEV = Environment(name="dev", project="acme-ml-dev", region="europe-west4", system="acme-ml")


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
    [one] = capacity.classes(found, "")
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


L4_NODES = {"machine_type": "g2-standard-8", "accelerator": {"type": "nvidia-l4"}}
LIMITS = {"cpu": 64, "memory_gb": 256, "gpus": {"nvidia-l4": 3}}


def creating(
    *choices: dict[str, Any], limits: dict[str, Any] | None = LIMITS, **more: Any
) -> ClusterConfig:
    """A class with a pool of one L4 in each of two zones, then what GKE may create."""
    zones = ["europe-west4-a", "europe-west4-b"]
    own = {"name": "l4", "max_nodes": 1, **L4_NODES}
    general = {"name": "general", "machine_type": "e2-standard-4", "max_nodes": 2}
    priorities = [{"node_pools": ["l4"]}, *({"create": one} for one in choices)]
    return config(
        pools=[general, own],
        cluster={
            "zones": zones,
            "control_plane_cidr": "172.16.0.0/28",
            **({"auto_provisioning": limits} if limits else {}),
        },
        compute_classes=[{"name": "gpus", "priorities": priorities}],
        **more,
    )


def test_what_gke_may_create_is_what_the_limits_leave() -> None:
    # Two L4s of three are the pool's; the second choice shares the third with the first.
    [one] = capacity.classes(creating({**L4_NODES, "spot": True}, L4_NODES), "nodes@acme.example")
    assert one.priorities == (("l4",), (), ())
    assert one.account == "nodes@acme.example"
    assert [(made.priority, made.nodes.name, made.nodes.max_total) for made in one.created] == [
        (1, "gpus/1", 1),
        (2, "gpus/2", 0),
    ]
    assert one.created[0].nodes.spot
    assert one.created[0].nodes.compute_class == "gpus"


def test_gke_is_told_what_to_create() -> None:
    one = creating(
        {
            **L4_NODES,
            "spot": True,
            "zones": ["europe-west4-a"],
            "disk_size_gb": 200,
            "max_run_seconds": 86400,
        },
        {**L4_NODES, "flex_start": True},
        {**L4_NODES, "reservation": "assistant"},
    )
    [class_] = capacity.classes(one, "nodes@acme.example")
    made = spec(class_)
    gpu = {"type": "nvidia-l4", "count": 1, "driverVersion": "default"}
    assert made["nodePoolAutoCreation"] == {"enabled": True}
    assert made["whenUnsatisfiable"] == "DoNotScaleUp"
    assert made["nodePoolConfig"] == {
        "imageType": "cos_containerd",
        "serviceAccount": "nodes@acme.example",
    }
    own, spot, flex, reserved = made["priorities"]
    assert own == {"nodepools": ["l4"]}
    assert spot == {
        "machineType": "g2-standard-8",
        "gpu": gpu,
        "spot": True,
        "location": {"zones": ["europe-west4-a"]},
        "storage": {"bootDiskType": "pd-balanced", "bootDiskSize": 200},
        "maxRunDurationSeconds": 86400,
    }
    assert (flex["flexStart"], flex["spot"]) == ({"enabled": True}, False)
    assert reserved["reservations"] == {"affinity": "Specific", "specific": [{"name": "assistant"}]}


@pytest.mark.parametrize(
    ("choice", "limits", "said"),
    [
        (L4_NODES, None, r"priorities\[1\].create: nothing limits what GKE may create"),
        (L4_NODES, {"cpu": 64, "memory_gb": 256}, "there is no limit; set .*gpus.nvidia-l4"),
        (
            L4_NODES,
            LIMITS | {"gpus": {"nvidia-l4": 2}},
            "takes 1 of the 2 of .*gpus.nvidia-l4, of which the node pools may take 2 .* least 3",
        ),
        (L4_NODES, LIMITS | {"cpu": 24}, "takes 8 of the 24 of .*auto_provisioning.cpu"),
        ({**L4_NODES, "zones": ["europe-west4-c"]}, LIMITS, "is not one of cluster.zones"),
        ({**L4_NODES, "spot": True, "flex_start": True}, LIMITS, "exclude each other"),
        (
            {**L4_NODES, "flex_start": True, "max_run_seconds": 700_000},
            LIMITS,
            r"runs for 604800 seconds \(7 days\) at most",
        ),
        ({"machine_type": "ct6e-standard-4t"}, LIMITS, "has TPUs, whose slices are pools"),
    ],
)
def test_what_gke_would_not_create_is_refused(
    choice: dict[str, Any], limits: dict[str, Any] | None, said: str
) -> None:
    with pytest.raises(msgspec.ValidationError, match=said):
        creating(choice, limits=limits)


def test_a_choice_is_one_of_both_kinds() -> None:
    both = {"node_pools": ["first"], "create": L4_NODES}
    for priority, said in ((both, "takes no rule with both"), ({}, "set one of them")):
        with pytest.raises(msgspec.ValidationError, match=said):
            config(compute_classes=[{"name": "cheap", "priorities": [priority]}])


def test_a_machine_that_a_zone_lacks_is_refused_for_a_choice_too() -> None:
    naming = Naming(DEV)
    fits(creating(L4_NODES), naming)
    for choice, said in (
        ({**L4_NODES, "machine_type": "g2-standard-24"}, "comes with 2 x nvidia-l4, not 1"),
        ({"machine_type": "g2-standard-8"}, "accelerator: missing"),
    ):
        with pytest.raises(PlatformError, match=rf"priorities\[1\].create.*{said}"):
            fits(creating(choice), naming)


def test_addresses_count_what_gke_may_create() -> None:
    naming = Naming(DEV)
    ranges = {
        "nodes_cidr": "10.10.0.0/20",
        "pods_cidr": "10.64.0.0/21",
        "services_cidr": "10.80.0.0/20",
    }
    with pytest.raises(PlatformError, match=r"gpus/1 1 x 256"):
        fits(creating(L4_NODES, network=ranges), naming)


def test_a_model_may_fill_what_gke_creates_and_must_fit_it() -> None:
    [class_] = capacity.classes(creating({**L4_NODES, "disk_size_gb": 200}), "nodes@acme.example")
    told: dict[str, Any] = {
        "version": "1.34.1-gke.1829001",
        "compute_classes": [msgspec.to_builtins(class_)],
    }
    deployed = cluster(GENERAL, L4, **told)
    assert [one.name for one in deployed.all_nodes] == ["general", "l4", "gpus/1"]
    assert placements(catalog(entry(replicas={"min": 3, "max": 3})), deployed.all_nodes)
    with pytest.raises(PlatformError, match=r"can ever hold, 3 \(l4 2 nodes x 1 \+ gpus/1 1 nodes"):
        placements(catalog(entry(replicas={"min": 4, "max": 4})), deployed.all_nodes)
    check(GENERAL, L4, told=told)
    amounts = {"cpu": "4", "memory": "60Gi"}
    large = {"requests": amounts, "limits": amounts, "gpu": {"count": 1}}
    roomy = pool("l4", memory_bytes=128 * GIB)
    assert "pool gpus/1 of class gpus cannot take" in refusal(
        GENERAL, roomy, told=told, resources=large
    )
    old = told | {"version": "1.33.5-gke.1080000"}
    assert "that create pools need GKE 1.34.1-gke.1431000" in refusal(GENERAL, L4, told=old)
