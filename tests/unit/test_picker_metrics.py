"""Models without pods that requests at their endpoint picker start."""

import json
from typing import Any

import pytest

from declared import Declared, run_environment, stack_config
from gkeplatform.errors import PlatformError
from gkeplatform.layers import SERVING
from infra import stack_file
from tests.unit.callers_of_stage import TWO, edits

MONITORING = "kubernetes:monitoring.googleapis.com/v1:PodMonitoring"
SCALED = "kubernetes:keda.sh/v1alpha1:ScaledObject"
BACKLOG = {"kind": "pubsub-backlog", "subscription": "jobs", "average": "20"}


def changed(*, callers: bool = True, **entry: Any) -> dict[str, str]:
    """Stage with its language model at the Inference Gateway, and other keys in its entry."""
    found = edits(TWO, pooled=True)
    models = json.loads(found["gke-serving:models"])
    (model,) = (one for one in models if one["name"] == "assistant")
    model |= entry
    model["replicas"] = {**model["replicas"], "min": 0}
    found["gke-serving:models"] = json.dumps(models)
    if not callers:
        del found["gke-serving:callers"]
    return found


def refusal(given: dict[str, str]) -> str:
    with pytest.raises(PlatformError) as raised:
        stack_file.read(stack_config("stage") | given, file="stacks/Pulumi.stage.yaml")
    return str(raised.value)


@pytest.fixture(scope="module")
def serving() -> Declared:
    return run_environment("stage", edits=changed())[SERVING.name]


def test_requests_at_the_picker_start_the_first_replica(serving: Declared) -> None:
    spec = serving.of(SCALED)["assistant"]["spec"]
    assert spec["minReplicaCount"] == 0
    demand = spec["triggers"][-1]["metadata"]
    # Whatever the number of requests, they ask for one replica.
    assert (demand["threshold"], demand["activationThreshold"]) == ("1", "0")
    assert demand["query"].startswith("clamp_max(count(")
    assert demand["query"].endswith(", 1)")
    for name in ("request_total", "request_error_total"):
        assert f"inference_objective_{name}{{" in demand["query"]
    assert 'job="assistant-epp"' in demand["query"]
    # Before the first request there is no counter.
    assert demand["ignoreNullValues"] == "true"


def test_the_picker_is_measured_where_it_starts_the_model(serving: Declared) -> None:
    monitoring = serving.of(MONITORING)["assistant-epp"]
    deployment = serving.of("kubernetes:apps/v1:Deployment")["assistant-epp"]["spec"]["template"]
    selected = monitoring["spec"]["selector"]["matchLabels"]
    assert selected.items() <= deployment["metadata"]["labels"].items()
    (endpoint,) = monitoring["spec"]["endpoints"]
    ports = [one["containerPort"] for one in deployment["spec"]["containers"][0]["ports"]]
    assert endpoint["port"] in ports
    assert monitoring["metadata"]["name"] == "assistant-epp"


def test_a_model_with_pods_is_started_by_nothing_else() -> None:
    found = run_environment("stage", edits=edits(TWO, pooled=True))
    serving = found[SERVING.name]
    assert "assistant-epp" not in serving.of(MONITORING)
    queries = [
        one["metadata"].get("query", "")
        for one in serving.of(SCALED)["assistant"]["spec"]["triggers"]
    ]
    assert not [one for one in queries if "inference_objective" in one]


def _health(serving: Declared) -> Any:
    """What answers the load balancer's health check of the gateway for callers."""
    data = serving.of("kubernetes:core/v1:ConfigMap")["assistant-callers"]["data"]
    (table,) = json.loads(data["routes.json"])["resources"]
    (host,) = table["virtual_hosts"]
    return next(one for one in host["routes"] if one["match"] == {"path": "/health"})


def test_the_load_balancer_sends_requests_to_a_gateway_without_servers(serving: Declared) -> None:
    """Else it would answer them itself, and nothing would start the model."""
    checks = serving.of("kubernetes:networking.gke.io/v1:HealthCheckPolicy")
    check = checks["assistant-callers"]["spec"]["default"]["config"]["httpHealthCheck"]
    assert check["requestPath"] == "/health"
    found = _health(serving)
    assert found["direct_response"] == {"status": 200}
    assert "route" not in found
    filters = found["typed_per_filter_config"].values()
    assert [one["disabled"] for one in filters] == [True, True]  # neither a key nor a picker


def test_a_gateway_without_its_servers_is_unhealthy_where_nothing_starts_them() -> None:
    serving = run_environment("stage", edits=edits(TWO, pooled=True))[SERVING.name]
    assert _health(serving)["route"]["cluster"] == "server"


def test_waiting_requests_start_it_with_flow_control() -> None:
    stage = json.loads(edits(TWO, pooled=True)["gke-serving:models"])
    (exposure,) = (one["exposure"] for one in stage if one["name"] == "assistant")
    given = changed(exposure={**exposure, "picker": {"flow_control": True}})
    serving = run_environment("stage", edits=given)[SERVING.name]
    demand = serving.of(SCALED)["assistant"]["spec"]["triggers"][-1]["metadata"]["query"]
    assert "inference_extension_flow_control_queue_size{" in demand


def test_without_callers_the_load_balancer_need_not_ask_a_picker_without_pods() -> None:
    said = refusal(changed(callers=False))
    assert "replicas.min 0: a load balancer need not ask the endpoint picker" in said
    assert "name its callers in gke-serving:callers" in said
    by_backlog = changed(callers=False, autoscaling={"metrics": [BACKLOG]})
    stack_file.read(stack_config("stage") | by_backlog, file="stacks/Pulumi.stage.yaml")


def test_keda_needs_a_metric() -> None:
    assert "add one to autoscaling.metrics" in refusal(changed(autoscaling={"cpu_utilization": 50}))
