"""GKE's Inference Gateway: what a language model's entry declares, and what is refused."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
import yaml

from declared import Declared, run_environment, stack_config

NETWORK = "gke-cluster:network"
MODELS = "gke-serving:models"
HOST = "llm.stage.acme.example"
EXPOSURE: dict[str, Any] = {"kind": "inference-gateway", "hosts": [HOST], "failure": "close"}
ROUTE = "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute"
POOL = "kubernetes:inference.networking.k8s.io/v1:InferencePool"


def edits(*servers: dict[str, Any], **more: Any) -> dict[str, str]:
    """The keys of stage, with the assistant replaced by `servers`."""
    config = stack_config("stage")
    models = json.loads(config[MODELS])
    assistant = next(one for one in models if one["name"] == "assistant")
    others = [one for one in models if one is not assistant]
    network = {**yaml.safe_load(config[NETWORK]), "proxies_cidr": "10.250.0.0/23"}
    entries = [{**copy.deepcopy(assistant), **one} for one in servers]
    found = {NETWORK: network, MODELS: [*others, *entries], **more}
    return {key: json.dumps(value) for key, value in found.items()}


def alone(**exposure: Any) -> dict[str, Any]:
    return {"exposure": {**EXPOSURE, **exposure}}


CANARY = {
    "weights": {"stable": 90, "canary": 10},
    "source": "gs://acme-ml-stage-models/assistant-2",
}
OBJECTIVES = {"chat": 10, "batch": -1}


@pytest.fixture(scope="module")
def shared() -> dict[str, Declared]:
    """Two models that share a host, one with a canary, over HTTPS."""
    return run_environment(
        "stage",
        edits(
            {**alone(objectives=OBJECTIVES), "canary": CANARY},
            {
                "name": "coder",
                "served_name": "acme/coder",
                **alone(picker={"replicas": 2, "weights": {"prefix": 0}}, failure="open"),
            },
            **{"gke-serving:inference_gateway": {"certificates": ["llm"]}},
        ),
    )
