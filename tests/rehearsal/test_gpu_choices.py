"""A model of a compute class: the first choice runs out, the next one serves, and pods return.

On each choice the server has the arguments for its GPU, and callers of a network load balancer
notice nothing else.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from tests.rehearsal.watching import until
from tests.rehearsal.workspace import ROOT, Workspace

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("accelerators")]

A = "europe-west4-a"


def pool(name: str, machine_type: str, kind: str) -> dict[str, Any]:
    return {
        "name": name,
        "machine_type": machine_type,
        "zones": [A],
        "accelerator": {"type": kind},
        "disk_size_gb": 200,
        "max_nodes": 3,
    }


AMOUNTS = {"cpu": "4", "memory": "20Gi"}
KEYS: dict[str, Any] = {
    "gke-cluster:node_pools": [
        {"name": "general", "machine_type": "e2-standard-4", "max_nodes": 2},
        pool("l4", "g2-standard-8", "nvidia-l4"),
        pool("a100", "a2-highgpu-1g", "nvidia-tesla-a100"),
    ],
    "gke-cluster:compute_classes": [
        {"name": "gpus", "priorities": [{"node_pools": ["l4"]}, {"node_pools": ["a100"]}]}
    ],
    "gke-serving:models": [
        {
            "name": "assistant",
            "server": "vllm",
            "source": "gs://acme-ml-choices-models/assistant",
            "files": {"via": "download", "size": "5Gi"},
            "replicas": {"min": 2, "max": 2},
            "rollout": {"max_unavailable": 1},
            "compute_class": "gpus",
            "resources": {"requests": AMOUNTS, "limits": AMOUNTS, "gpu": {"count": 1}},
            "arguments": ["--max-model-len=8192"],
            "arguments_by_gpu": {"nvidia-tesla-a100": ["--max-model-len=65536"]},
            "spread": {"zones": "preferred"},
            "exposure": {"kind": "load-balancer"},
        }
    ],
}


def test_each_choice_serves_with_the_arguments_for_its_gpu(other_workspace: Workspace) -> None:
    content = yaml.safe_load((ROOT / "tests" / "smallest.yaml").read_text())
    content["config"] |= KEYS | {"gcp:project": "acme-ml-choices"}
    (other_workspace.root / "stacks" / "Pulumi.choices.yaml").write_text(yaml.safe_dump(content))
    other_workspace.platformctl("rehearse", "choices", timeout=900)

    asked = ("--seconds", "2", "--rate", "50", "--json")
    done = other_workspace.platformctl(
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
    [card] = json.loads(other_workspace.platformctl(*listed).stdout)["data"]
    assert card["max_model_len"] == 8192

    def health() -> list[tuple[str, str]]:
        [class_] = other_workspace.kubernetes("computeclasses")["items"]
        return [(one["type"], one["status"]) for one in class_["status"]["conditions"]]

    until(lambda: health() == [("Health", "True")], "the class is healthy")
    drift = other_workspace.run(
        *other_workspace.command("drift", "choices", "--layer", "serving", "--json"), check=False
    )
    assert drift.returncode in (0, 7), drift.stdout + drift.stderr
    assert "ComputeClass" not in drift.stdout
