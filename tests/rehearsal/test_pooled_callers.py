"""Language models for callers with keys behind the Inference Gateway.

A request passes the load balancer, the body-based router, the model's gateway, and then the
endpoint picker that the gateway asks. All of these are the real programs.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import yaml

from tests.rehearsal import callers
from tests.rehearsal.callers import AMOUNTS, Asking, eventually
from tests.rehearsal.workspace import ROOT, Workspace

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("pooled")]

Json = dict[str, Any]
PROJECT, HOST = "acme-ml-tiny", "llm.tiny.acme.example"
TALK, CODE = "talk", "code"
ADAPTER, OTHER = "support", "sql"
GPU = {"type": "nvidia-l4", "count": 1}
ALLOWED = (("web", [TALK, CODE], 1000), ("batch", [TALK], None), ("other", [CODE], None))
"""Name, models and requests per minute of each caller."""


def environment(*adapters: str) -> Json:
    """The smallest one with two models on a host, one with adapters and one with a canary."""
    content: Json = yaml.safe_load((ROOT / "tests" / "smallest.yaml").read_text())
    values = content["config"]
    values["gke-cluster:network"]["proxies_cidr"] = "10.250.0.0/23"
    values["gke-cluster:cluster"]["secret_sync"] = True
    values["gke-cluster:node_pools"].append(
        {"name": "gpu", "machine_type": "g2-standard-8", "accelerator": GPU, "max_nodes": 4}
    )
    # The pickers ask the API server; an environment that has them waives this.
    values["gke-policies:levels"] = {"pods-mount-no-token-without-need": "advisory"}
    bucket = f"gs://{PROJECT}-models"
    canary = {"weights": {"stable": 50, "canary": 50}, "source": f"{bucket}/code-next"}
    listed = [{"name": one, "source": f"{bucket}/{one}"} for one in adapters]
    values["gke-serving:models"] = [
        {
            "name": name,
            "server": "vllm",
            "source": f"{bucket}/{name}",
            "files": {"via": "download", "size": "1Gi"},
            "replicas": {"min": replicas, "max": replicas},
            "resources": {"requests": AMOUNTS, "limits": AMOUNTS, "gpu": GPU},
            "exposure": {
                "kind": "inference-gateway",
                "hosts": [HOST],
                "failure": failure,
                "timeout_seconds": 30,
            },
            **more,
        }
        for name, failure, replicas, more in (
            (TALK, "open", 2, {"adapters": listed, "lora": {"max_loras": 1}}),
            (CODE, "close", 1, {"canary": {**canary, "replicas": {"min": 1, "max": 1}}}),
        )
    ]
    values["gke-serving:callers"] = {
        "failure": "close",
        "allowed": [
            {
                "name": name,
                "models": models,
                "keys": [
                    {"secret_manager": f"key-{name}", "version": number + 1}
                    for number in range(len(callers.SECRETS[f"key-{name}"]))
                ],
                **({"requests_per_minute": requests} if requests else {}),
                **({"tokens_per_minute": callers.TOKENS} if name == "batch" else {}),
            }
            for name, models, requests in ALLOWED
        ],
    }
    return content


def test_callers_with_keys_at_the_inference_gateway(other_workspace: Workspace) -> None:
    file = other_workspace.root / "stacks" / "Pulumi.tiny.yaml"
    file.write_text(yaml.safe_dump(environment(ADAPTER, OTHER)))
    callers.make_keys(other_workspace, PROJECT)
    ask = Asking(other_workspace, other_workspace.rehearse("tiny"), TALK)
    with ask.client:
        for model in (TALK, CODE):
            eventually(partial(_answers, ask, model))
        _check_keys(ask)


def _answers(ask: Asking, model: str) -> bool:
    return bool(_chat(ask, "web", model).status_code == 200)


def _chat(ask: Asking, key: str | None, model: str, prompt: str = "a b c", **more: Any) -> Any:
    messages = [{"role": "user", "content": prompt}]
    return ask(key, {"model": model, "messages": messages, "max_tokens": 12, **more})


def _check_keys(ask: Asking) -> None:
    """Who may ask for which model. One of them fails closed, and answers by its picker alone."""
    for key, model, status in (
        (None, TALK, 401),
        ("nobody-0123456789", CODE, 401),
        ("other", TALK, 403),
        ("other", ADAPTER, 403),
        ("other", CODE, 200),
        ("web", TALK, 200),
        ("next", CODE, 200),
        ("web", ADAPTER, 200),
    ):
        answer = _chat(ask, key, model)
        assert answer.status_code == status, (key, model, answer.text)
        if status == 200:
            assert answer.json()["model"] == model
            assert ("x-ratelimit-limit" in answer.headers) == (key != "other")
    versions = {_pod(_chat(ask, "web", CODE)).startswith("code-canary-") for _ in range(30)}
    assert versions == {True, False}


def _pod(answer: Any) -> str:
    assert answer.status_code == 200, answer.text
    return str(answer.headers["x-served-by-pod"])
