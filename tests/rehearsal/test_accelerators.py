"""Models on H100, H200 and B200 GPUs, on TPUs, on a share of a GPU, and beside them on none.

Two of them share a host of the Inference Gateway. Two run on several hosts: on a TPU slice, and on
GPUs that are close to each other.
"""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
import yaml

from cli.traffic.front_ends import FrontEnds
from tests.rehearsal.language_models import vllm
from tests.rehearsal.watching import NAME, is_ready, until
from tests.rehearsal.workspace import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("accelerators")]

A, B = "europe-west4-a", "europe-west4-b"
HYPERDISK = {"disk_type": "hyperdisk-balanced", "disk_size_gb": 500, "max_nodes": 1}


def eight(name: str, machine_type: str, kind: str, zone: str) -> dict[str, Any]:
    accelerator = {"type": kind, "count": 8}
    return HYPERDISK | {
        "name": name,
        "machine_type": machine_type,
        "zones": [zone],
        "accelerator": accelerator,
    }


POOLS = [
    {"name": "general", "machine_type": "n2-standard-4", "min_nodes": 1, "max_nodes": 2},
    eight("h100", "a3-highgpu-8g", "nvidia-h100-80gb", B),
    eight("h200", "a3-ultragpu-8g", "nvidia-h200-141gb", A),
    eight("b200", "a4-highgpu-8g", "nvidia-b200", B),
    {
        "name": "l4",
        "machine_type": "g2-standard-8",
        "zones": [A],
        "max_nodes": 1,
        "accelerator": {"type": "nvidia-l4", "sharing": {"clients": 4}},
    },
    HYPERDISK | {"name": "v6e", "machine_type": "ct6e-standard-4t", "zones": [A]},
    HYPERDISK
    | {"name": "slice", "machine_type": "ct6e-standard-4t", "zones": [A]}
    | {"tpu_topology": "2x4", "max_nodes": 2},
    {
        "name": "close",
        "machine_type": "g2-standard-8",
        "zones": [A],
        "max_nodes": 4,
        "accelerator": {"type": "nvidia-l4"},
        "compact": True,
    },
]


HOST = "llm.acc.example"
SHARED = {"kind": "inference-gateway", "hosts": [HOST], "failure": "close"}


def language_model(name: str, cpu: str, memory: str, **resources: Any) -> dict[str, Any]:
    """An entry with much to load."""
    made = vllm(name, "acme-ml-acc", cpu, memory, **resources)
    files = {"via": "gcs-fuse", "cache": "150Gi"}
    return {**made, "files": files, "exposure": {"kind": "cluster-ip"}}


def of_eight(name: str, kind: str) -> dict[str, Any]:
    gpu = {"type": kind, "count": 8}
    return language_model(name, "100", "1Ti", gpu=gpu) | {"arguments": ["--tensor-parallel-size=8"]}


MODELS = [
    of_eight("on-h100", "nvidia-h100-80gb") | {"exposure": SHARED},
    of_eight("on-h200", "nvidia-h200-141gb"),
    of_eight("on-b200", "nvidia-b200"),
    language_model("on-l4", "2", "8Gi", gpu={"type": "nvidia-l4", "sharing": {"clients": 4}})
    | {"files": {"via": "gcs-fuse"}, "exposure": SHARED},
    language_model("on-v6e", "64", "256Gi", tpu={"type": "tpu-v6e-slice", "topology": "2x2"})
    | {"image": "vllm/vllm-tpu:v0.12.0"},
    language_model("on-slice", "64", "256Gi", tpu={"type": "tpu-v6e-slice", "topology": "2x4"})
    | {"image": "vllm/vllm-tpu:v0.12.0", "hosts": 2},
    language_model("on-close", "2", "8Gi", gpu={"type": "nvidia-l4"})
    | {"files": {"via": "gcs-fuse"}, "hosts": 2, "replicas": {"min": 2, "max": 2}}
    | {"drain_seconds": 1},
    {
        "name": "on-none",
        "server": "tensorflow-serving",
        "source": "gs://acme-ml-acc-models/on-none",
        "replicas": {"min": 2, "max": 2},
        "resources": {kind: {"cpu": "500m", "memory": "1Gi"} for kind in ("requests", "limits")},
        "exposure": {"kind": "load-balancer"},
    },
]
PLACES = {
    "on-h100": "h100",
    "on-h200": "h200",
    "on-b200": "b200",
    "on-l4": "l4",
    "on-v6e": "v6e",
    "on-slice": "slice",
    "on-close": "close",
    "on-none": "general",
}
SET = "leaderworkersets.leaderworkerset.x-k8s.io"
GROUPS = "leaderworkerset.sigs.k8s.io/name"


def stack_file(text: str) -> str:
    """Dev's file with these pools and models only."""
    document = yaml.safe_load(text.replace("acme-ml-dev", "acme-ml-acc").replace("dev.acme", "acc"))
    config = document["config"]
    for key in ("gke-serving:ingress", "gke-serving:teams"):
        del config[key]
    config["gke-cluster:node_pools"] = POOLS
    config["gke-serving:models"] = MODELS
    config["gke-cluster:network"]["proxies_cidr"] = "10.250.0.0/23"
    # The pickers and the controller of groups ask the API server, and that lists its certificate's
    # Secret; an environment that has them waives this.
    for rule in ("pods-mount-no-token-without-need", "roles-do-not-read-all-secrets"):
        config["gke-policies:levels"][rule] = "advisory"
    return yaml.safe_dump(document)


def test_models_become_ready_on_the_accelerators_that_they_ask_for(
    other_workspace: Workspace,
) -> None:
    stacks = other_workspace.root / "stacks"
    file = stacks / "Pulumi.acc.yaml"
    file.write_text(stack_file((stacks / "Pulumi.dev.yaml").read_text()))
    layers = ("--layer", "cluster", "--layer", "serving")
    other_workspace.platformctl("rehearse", "acc", *layers, timeout=900)
    nodes = {
        node["metadata"]["name"]: node["metadata"]["labels"]["cloud.google.com/gke-nodepool"]
        for node in other_workspace.kubernetes("nodes")["items"]
    }
    servers = ("-l", "app.kubernetes.io/component=model-server")
    pods = other_workspace.kubernetes("pods", "-n", "models", *servers)["items"]
    ready = {
        (pod["metadata"]["labels"][NAME], nodes[pod["spec"]["nodeName"]])
        for pod in pods
        if is_ready(pod)
    }
    assert ready == set(PLACES.items())
    limits = {
        pod["metadata"]["labels"][NAME]: pod["spec"]["containers"][0]["resources"]["limits"]
        for pod in pods
    }
    assert limits["on-h100"]["nvidia.com/gpu"] == "8"
    assert limits["on-l4"]["nvidia.com/gpu"] == "1"
    assert limits["on-v6e"]["google.com/tpu"] == "4"
    _is_routed_by_body(other_workspace)
    _groups_are_whole_and_close(other_workspace, nodes)
    _a_changed_group_is_found_and_restored(other_workspace)


def _is_routed_by_body(workspace: Workspace) -> None:
    """Each model gets the requests whose body names it, from a picker: without one all fail."""
    gateway = workspace.kubernetes("gateways", "inference", "-n", "models")
    address = gateway["status"]["addresses"][0]["value"]
    front = FrontEnds(workspace.home, "acme-ml-acc").at(address, 80)
    with httpx.Client(trust_env=False) as client:

        def asked(model: str) -> httpx.Response:
            return client.post(
                f"http://127.0.0.1:{front.listens}/v1/completions",
                headers={"Host": HOST},
                json={"model": model, "prompt": "Once upon a time", "max_tokens": 4},
            )

        models = ("on-h100", "on-l4")
        until(lambda: all(asked(one).status_code == 200 for one in models), "the pickers answer")
        for model in models:
            answers = [asked(model) for _ in range(3)]
            assert [one.status_code for one in answers] == [200] * 3, answers[0].text
            pods = {one.headers["x-served-by-pod"].rsplit("-", 2)[0] for one in answers}
            assert pods == {model}
        assert asked("unknown").status_code == 404


def _groups_are_whole_and_close(workspace: Workspace, nodes: dict[str, str]) -> None:
    """Each pod of a group has a node of its own, in the pool that keeps them close."""
    pods = {
        name: workspace.kubernetes("pods", "-n", "models", "-l", f"{GROUPS}={name}")["items"]
        for name in ("on-slice", "on-close")
    }
    for name, count in (("on-slice", 2), ("on-close", 4)):
        assert all(map(is_ready, pods[name]))
        assert len({pod["spec"]["nodeName"] for pod in pods[name]}) == count
        assert {nodes[pod["spec"]["nodeName"]] for pod in pods[name]} == {PLACES[name]}
    variables = [
        {one["name"]: one.get("value") for one in pod["spec"]["containers"][0]["env"]}
        for pod in sorted(pods["on-slice"], key=lambda one: str(one["metadata"]["name"]))
    ]
    assert [one["TPU_WORKER_ID"] for one in variables] == ["0", "1"]
    for one in variables:
        assert len(one["TPU_WORKER_HOSTNAMES"].split(",")) == 2, one


def _a_changed_group_is_found_and_restored(workspace: Workspace) -> None:
    """Nothing that LWS owns is drift; a changed image is, and `up` waits for its end."""
    drift = workspace.command("drift", "acc", "--layer", "serving")
    clean = workspace.run(*drift, "--json", check=False)
    assert clean.returncode == 0, clean.stdout
    own = f"pods -n models -l {GROUPS}=on-close".split()
    image = workspace.kubernetes(*own)["items"][0]["spec"]["containers"][0]["image"]
    path = "/spec/leaderWorkerTemplate/leaderTemplate/spec/containers/0/image"
    patch = json.dumps([{"op": "replace", "path": path, "value": "vllm/vllm-openai:v0.1.0"}])
    workspace.kubectl("-n", "models", "patch", SET, "on-close", "--type=json", "-p", patch)
    found = workspace.run(*drift, check=False)
    assert found.returncode == 7, found.stdout + found.stderr
    assert "LeaderWorkerSet models/on-close: changed; `up --refresh` changes it" in found.stdout
    assert f'"{image}" -> "vllm/vllm-openai:v0.1.0"' in found.stdout
    workspace.run(*workspace.command("up", "acc", "serving", "--refresh", "--yes"), timeout=600)
    pods = workspace.kubernetes(*own)["items"]
    # `up` has waited for both groups: none of another template is left.
    assert [is_ready(pod) for pod in pods] == [True] * 4
    assert {pod["spec"]["containers"][0]["image"] for pod in pods} == {image}
