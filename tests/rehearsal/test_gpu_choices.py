"""Models of compute classes: the first choice runs out, the next one serves, and pods return.

On each choice the server has the arguments for its GPU, and callers of a network load balancer
notice nothing else. A choice may be nodes for which GKE creates pools, which are nobody's else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.rehearsal.watching import is_ready, until
from tests.rehearsal.workspace import ROOT, Workspace, changed, workspace_in

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("accelerators")]

A = "europe-west4-a"


PROJECT = "acme-ml-choices"
POOL, CLASS = "cloud.google.com/gke-nodepool", "cloud.google.com/compute-class"
SPOT_L4 = "g2-standard-12"


def pool(name: str, machine_type: str, kind: str, nodes: int = 3) -> dict[str, Any]:
    return {
        "name": name,
        "machine_type": machine_type,
        "zones": [A],
        "accelerator": {"type": kind},
        "disk_size_gb": 200,
        "max_nodes": nodes,
    }


def model(name: str, class_: str, **more: Any) -> dict[str, Any]:
    amounts = {"cpu": "4", "memory": "20Gi"}
    return {
        "name": name,
        "server": "vllm",
        "source": f"gs://{PROJECT}-models/{name}",
        "files": {"via": "download", "size": "5Gi"},
        "replicas": {"min": 2, "max": 2},
        "rollout": {"max_unavailable": 1},
        "compute_class": class_,
        "resources": {"requests": amounts, "limits": amounts, "gpu": {"count": 1}},
        "arguments": ["--max-model-len=8192"],
        "spread": {"zones": "preferred"},
        **more,
    }


CREATED = {
    "machine_type": SPOT_L4,
    "accelerator": {"type": "nvidia-l4"},
    "spot": True,
    "disk_size_gb": 200,
}
ASSISTANT = model(
    "assistant",
    "gpus",
    arguments_by_gpu={"nvidia-tesla-a100": ["--max-model-len=65536"]},
    exposure={"kind": "load-balancer"},
)
TALK = model("talk", "made", exposure={"kind": "load-balancer"})
# Above what the declared pools may take at their maximum, for two nodes that are created.
LIMITS = {"cpu": 112, "memory_gb": 560, "gpus": {"nvidia-l4": 7}}
KEYS: dict[str, Any] = {
    "gke-cluster:node_pools": [
        {"name": "general", "machine_type": "e2-standard-4", "max_nodes": 2},
        pool("l4", "g2-standard-8", "nvidia-l4"),
        pool("a100", "a2-highgpu-1g", "nvidia-tesla-a100"),
        pool("standby", "g2-standard-8", "nvidia-l4", nodes=2),
    ],
    "gke-cluster:compute_classes": [
        {"name": "gpus", "priorities": [{"node_pools": ["l4"]}, {"node_pools": ["a100"]}]},
        {"name": "made", "priorities": [{"create": CREATED}, {"node_pools": ["standby"]}]},
    ],
}


def deploy(workspace: Workspace, *models: dict[str, Any]) -> dict[str, Any]:
    content = yaml.safe_load((ROOT / "tests" / "smallest.yaml").read_text())
    keys = content["config"]
    keys |= KEYS | {"gcp:project": PROJECT, "gke-serving:models": list(models)}
    keys["gke-cluster:cluster"] |= {"auto_provisioning": LIMITS}
    (workspace.root / "stacks" / "Pulumi.choices.yaml").write_text(yaml.safe_dump(content))
    done = workspace.platformctl("rehearse", "choices", "--json", timeout=900)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


@pytest.fixture(scope="module")
def choices(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    made = workspace_in(tmp_path_factory.mktemp("choices"))
    deploy(made, ASSISTANT, TALK)
    yield made
    made.platformctl("sandbox", "reset", check=False)


def drift(workspace: Workspace) -> str:
    command = workspace.command("drift", "choices", "--json")
    done = workspace.run(*command, check=False)
    assert done.returncode in (0, 7), done.stdout + done.stderr
    return done.stdout


def test_each_choice_serves_with_the_arguments_for_its_gpu(choices: Workspace) -> None:
    asked = ("--seconds", "2", "--rate", "50", "--json")
    done = choices.platformctl(
        "drill", "stock-out", "choices", "assistant", *asked, check=False, timeout=900
    )
    report = json.loads(done.stdout)
    assert done.returncode in {0, 1}, report
    lost = {one["event"]: one["until_next"]["lost"] for one in report["events"]}
    # Later the former servers close connections that callers keep: what is sent then is reset.
    assert lost["another pod template for assistant"] == 0
    events = list(lost)
    steps = (
        "it runs on a100, the next choice of its class",
        "the servers there are started with --max-model-len=65536",
        "there are virtual machines again",
    )
    assert [one for one in events if one in steps] == list(steps)
    listed = ("request", "choices", "assistant", "--path", "/v1/models")
    [card] = json.loads(choices.platformctl(*listed).stdout)["data"]
    assert card["max_model_len"] == 8192

    def health() -> set[str]:
        classes = choices.kubernetes("computeclasses")["items"]
        return {one["status"] for cc in classes for one in cc["status"]["conditions"]}

    until(lambda: health() == {"True"}, "the classes are healthy")
    assert "ComputeClass" not in drift(choices)


def nodes_of(workspace: Workspace, model_: str) -> list[dict[str, Any]]:
    """The nodes of its ready pods."""
    named = ("-n", "models", "-l", f"app.kubernetes.io/name={model_}")
    ready = [one for one in workspace.kubernetes("pods", *named)["items"] if is_ready(one)]
    nodes = {one["metadata"]["name"]: one for one in workspace.kubernetes("nodes")["items"]}
    return [nodes[one["spec"]["nodeName"]] for one in ready]


def pools_of(workspace: Workspace, model_: str) -> set[str]:
    nodes = nodes_of(workspace, model_)
    return {one["metadata"]["labels"][POOL] for one in nodes} if len(nodes) == 2 else set()


def created(workspace: Workspace) -> list[str]:
    """The pools of the cluster that no program has declared."""
    path = f"projects/{PROJECT}/locations/europe-west4/clusters/acme-ml-choices-cluster"
    found = workspace.google("container", f"{path}/nodePools")["nodePools"]
    return [one["name"] for one in found if one["name"].startswith("nap-")]


def test_pools_that_gke_creates_for_a_class_are_gkes(choices: Workspace) -> None:
    [name] = created(choices)
    assert pools_of(choices, "talk") == {name}
    for node in nodes_of(choices, "talk"):
        labels = {CLASS: "made", "cloud.google.com/gke-spot": "true"}
        assert labels.items() <= node["metadata"]["labels"].items()
        taints = {(one["key"], one["value"]) for one in node["spec"]["taints"]}
        assert taints == {(CLASS, "made"), ("nvidia.com/gpu", "present")}
    shown = json.loads(choices.platformctl("top", "choices", "--once", "--json").stdout)
    assert name in json.dumps(shown)
    assert all(not layer for layer in changed(deploy(choices, ASSISTANT, TALK)).values())
    found = drift(choices)
    assert name not in found
    assert "ComputeClass" not in found


def control(workspace: Workspace, what: str, body: dict[str, Any]) -> None:
    """Change how the sandbox behaves."""
    workspace.google("container", f"../../sandbox/v1/{what}", "PUT", json=body)


def nodes_in(workspace: Workspace, pool_: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = workspace.kubernetes("nodes", "-l", f"{POOL}={pool_}")["items"]
    return found


def test_a_created_pool_goes_with_its_last_pods(choices: Workspace) -> None:
    [name] = created(choices)
    # A cordoned node is of no use either.
    choices.kubectl("cordon", nodes_in(choices, name)[0]["metadata"]["name"])
    control(choices, "scale-down", {"seconds": 1})
    deploy(choices, ASSISTANT)
    until(lambda: created(choices) == [], "the pool is deleted")
    assert nodes_in(choices, name) == []
    assert pools_of(choices, "assistant") == {"l4"}  # its nodes are used, and stay
    shown = choices.platformctl("top", "choices", "--once", "--json").stdout
    assert name not in shown
    assert all(not layer for layer in changed(deploy(choices, ASSISTANT)).values())
    assert name not in drift(choices)


def test_pods_return_to_a_pool_that_could_not_be_had_at_first(choices: Workspace) -> None:
    kind = {"machineType": SPOT_L4, "provisioning": "spot"}
    stock = {"project": PROJECT, "zone": A, **kind}
    control(choices, "stock-out", {**stock, "exhausted": True})
    deploy(choices, ASSISTANT, TALK)
    until(lambda: pools_of(choices, "talk") == {"standby"}, "the next choice serves")
    control(choices, "stock-out", {**stock, "exhausted": False})
    until(
        lambda: pools_of(choices, "talk") == set(created(choices)) != set(),
        "the pods have returned",
    )
    until(lambda: not nodes_in(choices, "standby"), "the nodes that they left are gone")
