"""Models on several hosts: what an entry may say, and the group of pods that it becomes."""

from typing import Any

import msgspec
import pytest

from gkeplatform.contracts import NodePool
from gkeplatform.errors import PlatformError
from gkeplatform.leader_worker_sets import NAME_LABEL
from infra.serving.callers.gateway import server_service
from infra.serving.callers.pods import GATEWAY
from infra.serving.catalog import placements
from infra.serving.config import ServingConfig
from infra.serving.manifest import Manifest
from infra.serving.models import Model, Workload, expanded
from infra.serving.models.disruption import disruption_budget
from infra.serving.models.group import annotations, leader_worker_set
from infra.serving.models.rollout import RollingUpdate
from infra.serving.scaling.autoscaler import autoscaler
from infra.serving.tenancy.network_policies import network_policies
from tests.unit.entries import BASE, VLLM

TPU = {"type": "tpu-v6e-slice", "topology": "4x4"}
IMAGE = "vllm/vllm-tpu:v0.33.0"
FIXED = {"min": 2, "max": 2}


def entry(hosts: int = 2, **changes: Any) -> dict[str, Any]:
    gpu = {**VLLM["resources"], "gpu": {"type": "nvidia-l4", "count": 4}}
    return {**VLLM, "hosts": hosts, "replicas": FIXED, "resources": gpu, **changes}


def on_tpus(hosts: int = 4, **changes: Any) -> dict[str, Any]:
    resources = {key: one for key, one in VLLM["resources"].items() if key != "gpu"}
    return entry(hosts, resources={**resources, "tpu": TPU}, image=IMAGE, **changes)


def workload(values: dict[str, Any]) -> Workload:
    model = msgspec.convert(values, Model)
    return expanded(model, key="gke-serving:models[0]", namespace="models")


def spec(values: dict[str, Any]) -> Manifest:
    return leader_worker_set(
        workload(values), rolling_update=RollingUpdate(1, 0), labels={"a": "b"}, account="a"
    )


def templates(values: dict[str, Any]) -> tuple[Manifest, Manifest]:
    found = spec(values)["leaderWorkerTemplate"]
    return found["leaderTemplate"], found["workerTemplate"]


def server(template: Manifest) -> Manifest:
    container: Manifest = template["spec"]["containers"][0]
    return container


def pool(**changes: Any) -> NodePool:
    values: dict[str, Any] = {
        "name": "gpu",
        "zones": ("a", "b"),
        "machine_type": "any",
        "min_nodes": 0,
        "max_nodes": 2,
        "accelerator": "nvidia-l4",
        "gpus": 4,
    }
    return NodePool(**values | changes)


def slice_of(name: str, **changes: Any) -> NodePool:
    one = {"tpu": TPU["type"], "tpus": 4, "tpu_topology": TPU["topology"], "accelerator": ""}
    return pool(**{"name": name, "zones": ("a",), "max_nodes": 4, "gpus": 0} | one | changes)


def placed(values: dict[str, Any], *pools: NodePool) -> RollingUpdate:
    config = msgspec.convert({"models": [values]}, ServingConfig)
    return placements(config, pools)["m1"].rolling_update


def test_a_group_starts_and_restarts_as_a_whole() -> None:
    found = spec(entry())
    assert found["replicas"] == 2
    assert found["leaderWorkerTemplate"]["size"] == 2
    assert found["leaderWorkerTemplate"]["restartPolicy"] == "RecreateGroupOnPodRestart"
    assert found["rolloutStrategy"]["rollingUpdateConfiguration"] == {
        "maxSurge": 1,
        "maxUnavailable": 0,
        "partition": 0,
    }


def test_gpus_are_tensor_parallel_in_a_host_and_pipeline_parallel_over_hosts() -> None:
    for template in templates(entry()):
        arguments = server(template)["args"]
        assert "--tensor-parallel-size=4" in arguments
        assert "--pipeline-parallel-size=2" in arguments
        assert "--nnodes=2" in arguments
        assert "--master-addr=$(LWS_LEADER_ADDRESS)" in arguments


def test_the_leader_answers_and_workers_take_their_place_from_the_group() -> None:
    leader, worker = (server(one) for one in templates(entry()))
    assert "--node-rank=0" in leader["args"]
    assert "--headless" not in leader["args"]
    assert leader["ports"]
    assert leader["readinessProbe"]
    assert "--node-rank=$(LWS_WORKER_INDEX)" in worker["args"]
    assert "--headless" in worker["args"]
    assert not worker.keys() & {"ports", "startupProbe", "readinessProbe", "livenessProbe"}


def test_own_sizes_are_kept_if_their_product_is_that_of_the_hosts() -> None:
    for sizes in (["-tp=8"], ["--tensor-parallel-size=2", "--pipeline_parallel_size", "4"]):
        arguments = workload(entry(arguments=sizes)).arguments
        assert arguments[-len(sizes) :] == tuple(sizes)
    with pytest.raises(msgspec.ValidationError, match="is 4 accelerators, and 2 hosts of 4 have 8"):
        workload(entry(arguments=["--tensor-parallel-size=4"]))


def test_a_service_leads_to_leaders_only() -> None:
    served = workload(entry())
    leader, worker = (one["metadata"]["labels"] for one in templates(entry()))
    chosen = served.exposure.service(served)["selector"]
    assert chosen.items() <= leader.items()
    assert not chosen.items() <= worker.items()


def test_a_group_is_in_one_zone_and_on_nodes_of_its_own() -> None:
    for template in templates(entry()):
        affinity = template["spec"]["affinity"]
        [near] = affinity["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        [apart] = affinity["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        assert near["topologyKey"] == "topology.kubernetes.io/zone"
        assert apart["topologyKey"] == "kubernetes.io/hostname"
        for term in (near, apart):
            assert term["matchLabelKeys"] == ["leaderworkerset.sigs.k8s.io/group-key"]
        assert affinity["nodeAffinity"], "it is kept off shared GPUs"


def test_a_worker_outlives_the_last_answer_of_its_leader() -> None:
    leader, worker = templates(entry(drain_seconds=60))
    ends = leader["spec"]["terminationGracePeriodSeconds"]
    assert server(worker)["lifecycle"]["preStop"]["sleep"]["seconds"] >= ends
    assert worker["spec"]["terminationGracePeriodSeconds"] > ends


def test_a_slice_of_several_hosts_has_a_node_pool_to_itself() -> None:
    values = on_tpus()
    assert annotations(workload(values)) == {
        "leaderworkerset.sigs.k8s.io/exclusive-topology": "cloud.google.com/gke-nodepool"
    }
    leader, worker = (server(one) for one in templates(values))
    for one in (leader, worker):
        assert one["resources"]["limits"]["google.com/tpu"] == "4"
    assert "--tensor-parallel-size=16" in leader["command"][-1].split()
    assert "--distributed-executor-backend=ray" in leader["command"][-1].split()
    assert "ray start --address" in worker["command"][-1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"server": "triton", "files": None}, "triton runs on one host"),
        ({"adapters": []}, "remove adapters and lora, or hosts"),
        ({"arguments": ["--distributed-executor-backend=ray"]}, "is set by hosts; remove it"),
        ({"arguments": ["--master_addr", "x"]}, "is set by hosts; remove it"),
        ({"arguments": ["--nnodes=2"]}, "set hosts to the number of hosts"),
        ({"arguments": ["--data-parallel-size=2"]}, "remove it, and raise replicas"),
        ({"arguments": ["-dp", "2"]}, "remove it, and raise replicas"),
        ({"hosts": 0}, ">= 1"),
    ],
)
def test_what_several_hosts_cannot_do_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=message):
        workload(entry(**changes))


def test_a_share_of_a_gpu_is_refused() -> None:
    shared = {"type": "nvidia-l4", "sharing": {}}
    with pytest.raises(msgspec.ValidationError, match="holds less than one GPU"):
        workload(entry(resources={**VLLM["resources"], "gpu": shared}))


def test_hosts_that_do_not_divide_a_slice_are_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match=r"has 16 chips.*set hosts: 4"):
        workload(on_tpus(3))


def test_the_budget_counts_groups_over_all_their_pods() -> None:
    budget = disruption_budget(workload(entry(disruption={"max_unavailable": 1})))
    assert budget["selector"] == {"matchLabels": {NAME_LABEL: "m1"}}
    assert budget["maxUnavailable"] == 1
    kept = disruption_budget(workload(entry(disruption={"min_available": 1})))
    assert (kept["maxUnavailable"], "minAvailable" in kept) == (1, False)
    scaled: dict[str, Any] = {
        "replicas": {"min": 2, "max": 4},
        "autoscaling": {"cpu_utilization": 50},
    }
    with pytest.raises(msgspec.ValidationError, match=r"counts groups.*set max_unavailable"):
        workload(entry(disruption={"min_available": 1}, **scaled))


def test_an_autoscaler_scales_groups() -> None:
    scaled: dict[str, Any] = {
        "replicas": {"min": 1, "max": 4},
        "autoscaling": {"cpu_utilization": 50},
    }
    served = workload(entry(**scaled))
    assert "replicas" not in spec(entry(**scaled))
    assert served.autoscaling
    found = autoscaler(served.autoscaling, served.replicas, name="m1", hosts=2)
    assert found["scaleTargetRef"]["kind"] == "LeaderWorkerSet"


def test_a_zone_must_have_a_node_for_each_host() -> None:
    assert placed(entry(), pool()) == RollingUpdate(0, 1)
    with pytest.raises(PlatformError, match="at most 1 node in a zone, and a replica runs on 2"):
        placed(entry(), pool(max_nodes=1))
    # Four nodes in two zones hold one group each.
    three = {"min": 3, "max": 3}
    with pytest.raises(PlatformError, match=r"replicas.max: 3 replicas of 8 x nvidia-l4.*, 2 "):
        placed(entry(replicas=three), pool())
    assert placed(entry(replicas=three), pool(max_nodes=4)) == RollingUpdate(1, 0)


def test_nodes_of_two_zones_do_not_make_a_group() -> None:
    uneven: dict[str, Any] = {"replicas": {"min": 2, "max": 2}, "spread": {"zones": "preferred"}}
    with pytest.raises(PlatformError, match="than the node pools can ever hold, 1"):
        placed(entry(**uneven), pool(zones=("a",), max_nodes=3))


def test_a_slice_holds_one_group_and_has_as_many_hosts() -> None:
    values = on_tpus(replicas={"min": 1, "max": 1})
    assert placed(values, slice_of("a")).surge == 0
    assert placed(values, slice_of("a"), slice_of("b")).surge == 1
    two = on_tpus(2, replicas={"min": 1, "max": 1})
    with pytest.raises(PlatformError, match="spans 4 nodes, and hosts is 2; set hosts: 4"):
        placed(two, slice_of("a"))
    alone = on_tpus(1, replicas={"min": 1, "max": 1})
    with pytest.raises(PlatformError, match="spans 4 nodes, and hosts is 1; set hosts: 4"):
        placed(alone, slice_of("a"))


def test_the_memory_of_all_hosts_counts() -> None:
    named: dict[str, Any] = {"source": "gs://acme-ml-dev-models/Llama-3.1-70B-Instruct"}
    gpu = {**VLLM["resources"], "gpu": {"type": "nvidia-l4", "count": 4}}
    short: dict[str, Any] = {"arguments": ["--max-model-len=4096"], "resources": gpu}
    workload(entry(2, **named, **short))
    one_host = ["--tensor-parallel-size=4", "--max-model-len=4096"]
    with pytest.raises(msgspec.ValidationError, match="does not fit"):
        workload(entry(1, **named, resources=gpu, arguments=one_host))


def test_only_the_group_reaches_its_inner_ports() -> None:
    config = msgspec.convert({"models": [entry(), BASE | {"name": "m2"}]}, ServingConfig)
    policies = network_policies(config.tenants[0])
    alone, group = policies["models"], policies["m1-hosts"]
    assert alone["podSelector"]["matchExpressions"] == [
        {"key": NAME_LABEL, "operator": "DoesNotExist"}
    ]
    assert group["podSelector"] == {"matchLabels": {NAME_LABEL: "m1"}}
    callers, own = group["ingress"]
    assert callers["ports"] == [{"port": "rest", "protocol": "TCP"}]
    assert own == {"from": [{"podSelector": {"matchLabels": {NAME_LABEL: "m1"}}}]}


def test_a_namespace_of_groups_has_no_policy_without_pods() -> None:
    config = msgspec.convert({"models": [entry()]}, ServingConfig)
    assert set(network_policies(config.tenants[0])) == {"m1-hosts"}


def test_a_model_with_the_name_of_a_group_is_refused() -> None:
    values = {"models": [entry(), BASE | {"name": "m1-0"}]}
    with pytest.raises(msgspec.ValidationError, match=r'models\[1\].name: "m1-0" is the name of a'):
        msgspec.convert(values, ServingConfig)


def test_callers_reach_a_group_by_the_gateway_only() -> None:
    one = {"name": "web", "models": ["m1"], "keys": [{"secret_manager": "key", "version": 1}]}
    callers = {"failure": "close", "allowed": [one]}
    config = msgspec.convert({"models": [entry()], "callers": callers}, ServingConfig)
    policies = network_policies(config.tenants[0])
    # One for pods of one host would select none.
    assert set(policies) == {"m1-hosts", "callers"}
    outer, inner = policies["m1-hosts"]["ingress"]
    gateways, *collectors = outer["from"]
    assert gateways == {"podSelector": {"matchLabels": {"app.kubernetes.io/component": GATEWAY}}}
    assert all("namespaceSelector" in one for one in collectors)
    assert outer["ports"] == [{"port": "rest", "protocol": "TCP"}]
    assert inner == {"from": [{"podSelector": {"matchLabels": {NAME_LABEL: "m1"}}}]}
    # Its leaders answer the gateway; its workers answer nobody.
    chosen = server_service(config.entries[0])["selector"]
    leader, worker = (one["metadata"]["labels"] for one in templates(entry()))
    assert chosen.items() <= leader.items()
    assert not chosen.items() <= worker.items()


def test_models_of_one_and_of_several_hosts_with_callers_have_a_policy_each() -> None:
    one = {"name": "web", "models": ["m1", "m2"], "keys": [{"secret_manager": "k", "version": 1}]}
    callers = {"failure": "close", "allowed": [one]}
    models = [entry(), {**VLLM, "name": "m2"}]
    config = msgspec.convert({"models": models, "callers": callers}, ServingConfig)
    policies = network_policies(config.tenants[0])
    assert set(policies) == {"m1-hosts", "guarded", "callers"}
    assert policies["guarded"]["podSelector"]["matchExpressions"] == [
        {"key": NAME_LABEL, "operator": "DoesNotExist"}
    ]


def test_groups_are_in_one_pool_with_compact_placement_where_there_is_one() -> None:
    near = pool(name="near", zones=("a",), max_nodes=4, compact=True)
    config = msgspec.convert({"models": [entry()]}, ServingConfig)
    found = placements(config, (pool(), near))["m1"]
    assert found.close == ("near",)
    assert placements(config, (pool(),))["m1"].close == ()
    update = RollingUpdate(1, 0)
    own = leader_worker_set(
        workload(entry()), rolling_update=update, labels={}, account="a", close=["near"]
    )
    for template in ("leaderTemplate", "workerTemplate"):
        affinity = own["leaderWorkerTemplate"][template]["spec"]["affinity"]
        required = "requiredDuringSchedulingIgnoredDuringExecution"
        [together] = affinity["podAffinity"][required]
        assert together["topologyKey"] == "cloud.google.com/gke-nodepool"
        [term] = affinity["nodeAffinity"][required]["nodeSelectorTerms"]
        named = {"key": "cloud.google.com/gke-nodepool", "operator": "In", "values": ["near"]}
        assert named in term["matchExpressions"]
        assert len(term["matchExpressions"]) > 1, "it is still kept off shared GPUs"


def test_only_pools_with_compact_placement_count_then() -> None:
    near = pool(name="near", zones=("a",), max_nodes=2, compact=True)
    with pytest.raises(PlatformError, match=r"replicas.max: 2 replicas.*can ever hold, 1 "):
        placed(entry(), pool(max_nodes=8), near)
    # A pool that no replica fits is no choice.
    small = pool(name="near", zones=("a",), max_nodes=1, compact=True)
    assert placed(entry(), pool(max_nodes=8), small).surge == 1
