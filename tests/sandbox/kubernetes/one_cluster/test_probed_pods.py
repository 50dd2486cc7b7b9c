"""A pod whose readiness probe must succeed several times is ready that much later."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

import pytest

from tests.sandbox.kubernetes.conftest_kubernetes import Sandbox, eventually

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("kubernetes")]
PODS = "/api/v1/namespaces/default/pods"


def _pod(name: str, **probe: Any) -> dict[str, Any]:
    ready = {"httpGet": {"path": "/health", "port": 8000}, **probe}
    ports = [{"containerPort": 8000}]
    server = {"name": "vllm", "image": "vllm/vllm-openai:v0.33.0", "ports": ports}
    return {
        "metadata": {"name": name},
        "spec": {"containers": [{**server, "readinessProbe": ready}]},
    }


def _conditions(sandbox: Sandbox, name: str) -> dict[str, Any]:
    status = sandbox.kube("GET", f"{PODS}/{name}").get("status") or {}
    return {one["type"]: one for one in status.get("conditions") or ()}


def _is_ready(sandbox: Sandbox, name: str) -> bool:
    return bool(_conditions(sandbox, name).get("Ready", {}).get("status") == "True")


def test_it_runs_first_and_is_ready_after_the_periods_between(sandbox: Sandbox) -> None:
    sandbox.kube("POST", PODS, _pod("once", periodSeconds=4))
    sandbox.kube("POST", PODS, _pod("thrice", periodSeconds=4, successThreshold=3))
    for name in ("once", "thrice"):
        assert eventually(partial(_is_ready, sandbox, name)), name
    conditions = _conditions(sandbox, "thrice")
    assert conditions["ContainersReady"]["status"] == "True"
    state = sandbox.kube("GET", f"{PODS}/thrice")["status"]["containerStatuses"][0]
    assert state["ready"]
    began = datetime.fromisoformat(state["state"]["running"]["startedAt"])
    ready = datetime.fromisoformat(conditions["Ready"]["lastTransitionTime"])
    # Kubernetes' times have whole seconds.
    assert (ready - began).total_seconds() >= 7
