"""KEDA and the metrics that it scales on: declared where a model needs them, and only there."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from declared import Declared, run_environment, stack_config
from gkeplatform.stack import Refused
from infra.serving.scaling import keda_definitions, keda_manifests, keda_roles
from tests.environment_runs import environment_run

DEFINITION = "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition"
MONITORING = "kubernetes:monitoring.googleapis.com/v1:PodMonitoring"
SCALED = "kubernetes:keda.sh/v1alpha1:ScaledObject"
AUTOSCALER = "kubernetes:autoscaling/v2:HorizontalPodAutoscaler"


@pytest.fixture(scope="module")
def dev() -> Declared:
    return environment_run("dev")["serving"]


@pytest.fixture(scope="module")
def stage() -> Declared:
    return environment_run("stage")["serving"]


def test_keda_is_installed_only_where_a_model_scales_on_metrics(
    dev: Declared, stage: Declared
) -> None:
    assert dev.of(SCALED) == {}
    assert not [name for name in dev.of(DEFINITION) if "keda" in name]
    assert set(keda_definitions.definitions()) <= set(stage.of(DEFINITION))
    assert set(stage.of(SCALED)) == {"segmenter", "assistant"}


def test_a_model_has_one_autoscaler(stage: Declared) -> None:
    assert not set(stage.of(SCALED)) & set(stage.of(AUTOSCALER))


def test_a_model_that_scales_on_a_gauge_is_measured(stage: Declared) -> None:
    for name, scaled in stage.of(SCALED).items():
        metadata = scaled["metadata"]
        for trigger in scaled["spec"]["triggers"]:
            if f'job="{name}"' in trigger["metadata"].get("query", ""):
                monitoring = stage.of(MONITORING)[name]["metadata"]
                assert (monitoring["name"], monitoring["namespace"]) == (
                    metadata["name"],
                    metadata["namespace"],
                )


def test_keda_reads_metrics_as_its_own_google_account(stage: Declared) -> None:
    granted = stage.of("gcp:projects/iAMMember:IAMMember")["keda"]
    assert granted["role"] == "roles/monitoring.viewer"
    [account] = [
        one
        for one in stage.of("kubernetes:core/v1:ServiceAccount").values()
        if one["metadata"]["namespace"] == "keda"
    ]
    email = account["metadata"]["annotations"]["iam.gke.io/gcp-service-account"]
    assert granted["member"] == f"serviceAccount:{email}"


def test_images_have_the_version_of_the_definitions() -> None:
    file = keda_definitions._FILE
    assert json.loads(file.read_text())["version"] == keda_manifests.VERSION
    for spec in (keda_manifests.operator({}), keda_manifests.adapter({})):
        [container] = spec["template"]["spec"]["containers"]
        assert container["image"].endswith(f":{keda_manifests.VERSION}")


def test_keda_reads_no_secret_of_models() -> None:
    assert all("secrets" not in rule["resources"] for rule in keda_roles.cluster_rules())
    assert all("*" not in rule["resources"] for rule in keda_roles.cluster_rules())


def edited(**scaling: Any) -> dict[str, str]:
    models = yaml.safe_load(stack_config("dev")["gke-serving:models"])
    [segmenter] = [one for one in models if one["name"] == "segmenter"]
    segmenter["autoscaling"] = scaling
    return {"gke-serving:models": json.dumps(models)}


GAUGE = {"kind": "pod", "name": "nv_inference_pending_request_count", "average": "8"}


def test_a_cluster_that_collects_nothing_scales_on_no_gauge(
    caplog: pytest.LogCaptureFixture,
) -> None:
    cluster = yaml.safe_load(stack_config("dev")["gke-cluster:cluster"])
    off = {"managed_prometheus": False, "metrics": ["SYSTEM_COMPONENTS"]}
    edits = {"gke-cluster:cluster": json.dumps({**cluster, **off})}
    found = run_environment("dev", edits=edits)["serving"]
    assert found.of(MONITORING) == {}
    with pytest.raises(Refused):
        run_environment("dev", edits={**edits, **edited(metrics=[GAUGE])})
    assert "so the model would never scale; set gke-cluster:cluster" in caplog.text


def test_the_namespace_of_keda_is_taken(caplog: pytest.LogCaptureFixture) -> None:
    edits = {**edited(metrics=[GAUGE]), "gke-serving:namespace": "keda"}
    with pytest.raises(Refused):
        run_environment("dev", edits=edits)
    assert '"keda" is the namespace of KEDA' in caplog.text
