"""How long a rollout and its parts may take: deadlines, waits and drains follow the entry."""

import json
from typing import Any

import msgspec
import pytest

from declared import Declared, run_environment, stack_config
from infra.serving.models import Model, Workload, expanded
from infra.serving.models.deployment import deployment
from infra.serving.models.rollout import RollingUpdate, progress_deadline, wait_seconds
from infra.serving.models.workload import SETTLE_SECONDS
from tests.unit.entries import VLLM

TIMEOUT = "pulumi.com/timeoutSeconds"
SERVICE = "kubernetes:core/v1:Service"
ROUTED = {"kind": "http-load-balancer", "paths": ["/v1/chat/completions"]}


def workload(**changes: Any) -> Workload:
    model = msgspec.convert(VLLM | changes, Model)
    return expanded(model, key="gke-serving:models[0]", namespace="models")


def deadline(served: Workload) -> int:
    found = deployment(served, rolling_update=RollingUpdate(0, 1), labels={}, account="a")
    return int(found["progressDeadlineSeconds"])


def test_a_slow_start_is_within_the_progress_deadline() -> None:
    assert deadline(workload(startup_seconds=1800)) > 1800
    assert deadline(workload(startup_seconds=10)) == 600


def test_a_new_pod_may_wait_for_an_old_one_to_drain() -> None:
    slow = workload(startup_seconds=1800, drain_seconds=3600)
    assert deadline(slow) > 1800 + 3600 + SETTLE_SECONDS


def test_a_large_download_is_within_the_progress_deadline() -> None:
    large = workload(files={"via": "download", "size": "500Gi"})
    assert deadline(large) - deadline(workload()) > 10_000


@pytest.mark.parametrize(
    ("update", "turns"),
    [(RollingUpdate(1, 0), 4), (RollingUpdate(0, 1), 4), (RollingUpdate(2, 1), 2)],
)
def test_the_engine_waits_for_every_turn_of_a_rollout(update: RollingUpdate, turns: int) -> None:
    served = workload(replicas={"min": 4, "max": 4}, startup_seconds=1800)
    assert wait_seconds(served, update) == turns * progress_deadline(served)


def test_an_entry_may_limit_the_wait() -> None:
    served = workload(replicas={"min": 4, "max": 4}, rollout={"timeout_seconds": 300})
    assert wait_seconds(served, RollingUpdate(1, 0)) == 300
    assert progress_deadline(served) == progress_deadline(workload())
    with pytest.raises(msgspec.ValidationError, match=">= 10"):
        workload(rollout={"timeout_seconds": 9})


def test_drains_last_up_to_an_hour() -> None:
    assert workload(drain_seconds=3600).grace_seconds > 3600
    with pytest.raises(msgspec.ValidationError, match="<= 3600"):
        workload(drain_seconds=3601)


@pytest.mark.parametrize(("timeout", "drain"), [(3600, 15), (900, 300)])
def test_a_timeout_longer_than_the_drain_is_reported(timeout: int, drain: int) -> None:
    served = workload(exposure=ROUTED | {"timeout_seconds": timeout}, drain_seconds=drain)
    (said,) = served.advice
    assert said.startswith(f'gke-serving:models[0].drain_seconds: model "m1" drains {drain} s')
    assert f"remove drain_seconds, set it to {timeout}, or a shorter timeout" in said


def test_a_timeout_within_the_drain_is_not_reported() -> None:
    assert workload(exposure=ROUTED | {"timeout_seconds": 300}, drain_seconds=300).advice == ()
    assert workload(exposure=ROUTED).advice == ()


def test_a_node_port_without_retries_is_reported() -> None:
    by_port = ROUTED | {"backend": "instance-groups", "node_port": 30001}
    canary = {"weights": {"stable": 95, "canary": 5}, "image": "tensorflow/serving:2.18.0"}
    served = workload(exposure=by_port, canary=canary | {"node_port": 30002})
    (said,) = served.advice
    assert said.startswith('gke-serving:models[0].exposure.retries: when a pod of "m1" ends')
    assert "set retries: {attempts: 2, conditions: [5xx]}" in said
    assert served.canary is not None
    assert served.canary.advice == ()
    assert workload(exposure=by_port | {"retries": {"conditions": ["5xx"]}}).advice == ()


@pytest.mark.parametrize(
    ("exposure", "drain"),
    [
        ({"kind": "cluster-ip"}, 15),
        (ROUTED, 15),
        (ROUTED | {"timeout_seconds": 5}, 15),
        (ROUTED | {"timeout_seconds": 900}, 900),
        ({"kind": "gateway", "path": "/m1", "timeout_seconds": 3600}, 3600),
        ({"kind": "ingress", "path": "/m1", "timeout_seconds": 60}, 60),
    ],
)
def test_a_drain_follows_the_timeout_of_answers(exposure: dict[str, Any], drain: int) -> None:
    served = workload(exposure=exposure)
    assert served.drain_seconds == drain
    assert served.advice == ()
    assert served.grace_seconds == drain + SETTLE_SECONDS


def test_a_canary_drains_as_its_model() -> None:
    canary = {"weights": {"stable": 90, "canary": 10}, "source": "gs://acme-ml-dev-models/next"}
    served = workload(exposure=ROUTED | {"timeout_seconds": 900}, canary=canary)
    assert served.canary
    assert served.canary.drain_seconds == 900


@pytest.fixture(scope="module")
def declared() -> dict[str, Declared]:
    values = stack_config("dev")
    models = json.loads(values["gke-serving:models"])
    models[0] |= {"drain_seconds": 300, "startup_seconds": 1800}
    return run_environment("dev", values | {"gke-serving:models": json.dumps(models)})


def test_a_drain_reaches_the_model_s_backend_service(declared: dict[str, Declared]) -> None:
    drains = {
        name: inputs["connectionDrainingTimeoutSec"]
        for (kind, name), inputs in declared["networking"].inputs.items()
        if kind == "gcp:compute/backendService:BackendService"
    }
    assert drains["resnet"] == 300
    assert set(drains.values()) == {15, 300}


def test_the_engine_waits_as_long_as_the_model_needs(declared: dict[str, Declared]) -> None:
    resnet = declared["serving"].inputs["kubernetes:apps/v1:Deployment", "resnet"]
    longest = resnet["spec"]["progressDeadlineSeconds"]
    assert longest > 1800 + 300
    assert int(resnet["metadata"]["annotations"][TIMEOUT]) >= 3 * longest


def test_a_service_is_awaited_for_its_address_only(declared: dict[str, Declared]) -> None:
    found: dict[str, set[str]] = {}
    for (kind, _), inputs in declared["serving"].inputs.items():
        metadata = inputs.get("metadata") or {}
        labels = metadata.get("labels") or {}
        if kind == SERVICE and labels.get("app.kubernetes.io/component") == "model-server":
            waits = {"pulumi.com/skipAwait", "pulumi.com/waitFor"} & metadata["annotations"].keys()
            found.setdefault(inputs["spec"]["type"], set()).update(waits)
    assert found.pop("LoadBalancer") == {"pulumi.com/waitFor"}
    assert set.union(*found.values()) == {"pulumi.com/skipAwait"}
