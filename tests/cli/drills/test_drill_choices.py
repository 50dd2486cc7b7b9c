"""Which drills there are, what they change, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from cli import routing
from cli.drills import catalog, prometheus, staging, weights
from cli.drills.scene import is_available
from cli.errors import CliError
from declared import ROOT

Json = dict[str, Any]


def platformctl(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_real_environment_is_refused_with_what_would_be_done() -> None:
    done = platformctl("drill", "node-drain", "prod", "--real", "--json")
    error = json.loads(done.stdout)["error"]
    assert done.returncode == 2
    assert "kubectl drain NODE" in error["message"]
    assert "Traceback" not in done.stderr


def test_an_unknown_drill_names_the_nearest() -> None:
    with pytest.raises(CliError) as caught:
        catalog.find("node-drane")
    assert "did you mean `node-drain`?" in caught.value.hint


def test_the_guide_describes_every_drill() -> None:
    guide = (ROOT / "docs" / "guides" / "drills.md").read_text()
    assert [one.name for one in catalog.DRILLS if f"| `{one.name}` |" not in guide] == []


@pytest.mark.parametrize(
    ("drill", "environment", "model"),
    [
        ("rolling-update", "dev", "resnet"),
        ("canary", "stage", "resnet"),
        ("keda-away", "stage", "segmenter"),
        ("prometheus-away", "stage", "segmenter"),
        ("certificate-change", "dev", "resnet"),
    ],
)
def test_the_model_that_is_chosen(drill: str, environment: str, model: str) -> None:
    assert staging.model(routing.plan(environment), catalog.find(drill), None).name == model


@pytest.mark.parametrize(
    ("drill", "model", "reason"),
    [
        ("canary", "resnet", "no canary"),
        ("keda-away", "resnet", "does not scale on metrics"),
        ("rollback", "embeddings", "inside the cluster"),
        ("certificate-change", "sentiment", "not behind the load balancer"),
        ("prometheus-away", "resnet", "does not scale on metrics"),
    ],
)
def test_a_model_that_a_drill_does_not_fit(drill: str, model: str, reason: str) -> None:
    with pytest.raises(CliError, match=reason):
        staging.model(routing.plan("dev"), catalog.find(drill), model)


def _split(*shares: tuple[str, int]) -> Json:
    link = "https://www.googleapis.com/compute/v1/projects/p/global/backendServices/"
    services = [{"backendService": link + name, "weight": weight} for name, weight in shares]
    return {"routeAction": {"weightedBackendServices": services}}


def test_a_canary_gets_its_share_in_every_rule_of_its_model_alone() -> None:
    mine = _split(("p-resnet", 95), ("p-resnet-canary", 5))
    other = _split(("p-fraud", 90), ("p-fraud-canary", 10))
    url_map: Json = {
        "name": "m",
        "pathMatchers": [{"pathRules": [mine, other]}, {"routeRules": [mine]}],
    }
    changed = weights.with_canary(url_map, "p-resnet", 50)
    half = _split(("p-resnet", 50), ("p-resnet-canary", 50))
    assert changed["pathMatchers"] == [{"pathRules": [half, other]}, {"routeRules": [half]}]
    assert url_map["pathMatchers"][0]["pathRules"][0] == mine


@pytest.mark.parametrize(
    ("status", "available"),
    [
        ({}, True),
        ({"updatedReplicas": 2}, False),
        ({"replicas": 4}, False),
        ({"availableReplicas": 2}, False),
        ({"observedGeneration": 1}, False),
    ],
)
def test_when_a_rollout_is_over(status: Json, available: bool) -> None:
    whole = {"observedGeneration": 2, "updatedReplicas": 3, "replicas": 3, "availableReplicas": 3}
    deployment = {
        "metadata": {"generation": 2},
        "spec": {"replicas": 3},
        "status": {**whole, **status},
    }
    assert is_available(deployment) is available


@pytest.mark.parametrize(
    ("conditions", "scales"),
    [
        ([], False),
        ([{"type": "ScalingActive", "status": "True"}], True),
        ([{"type": "ScalingActive", "status": "False"}], False),
        ([{"type": "AbleToScale", "status": "True"}], False),
    ],
)
def test_whether_an_autoscaler_has_its_metrics(
    conditions: list[dict[str, str]], *, scales: bool
) -> None:
    assert prometheus.scaling_is_active({"status": {"conditions": conditions}}) is scales
    assert not prometheus.scaling_is_active(None)
