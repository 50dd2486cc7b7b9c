"""Stage with callers of its language model, as edits of its keys. Not a test."""

import json
from typing import Any

import yaml

from declared import stack_config

CALLERS = "gke-serving:callers"
TWO: dict[str, Any] = {
    "failure": "close",
    "audit": {"retention_days": 400},
    "allowed": [
        {
            "name": "web",
            "models": ["assistant"],
            "keys": [
                {"secret_manager": "key-web", "version": 1},
                {"secret_manager": "key-web", "version": 2},
            ],
            "requests_per_minute": 60,
            "tokens_per_minute": 20000,
        },
        {
            "name": "batch",
            "models": ["assistant"],
            "keys": [{"secret_manager": "key-batch", "version": 1}],
        },
    ],
}


def edits(callers: dict[str, Any], *, pooled: bool = False) -> dict[str, str]:
    """Keys of stage with callers. Only if `pooled` the model stays at the Inference Gateway."""
    stage = stack_config("stage")
    cluster = {**yaml.safe_load(stage["gke-cluster:cluster"]), "secret_sync": True}
    models = yaml.safe_load(stage["gke-serving:models"])
    if not pooled:
        (model,) = (one for one in models if one["name"] == "assistant")
        model["exposure"] = {"kind": "cluster-ip"}
    return {
        "gke-cluster:cluster": json.dumps(cluster),
        "gke-serving:models": json.dumps(models),
        CALLERS: json.dumps(callers),
    }
