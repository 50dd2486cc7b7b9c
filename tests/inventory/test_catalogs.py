"""Catalogs with models of one exposure only, and with no model: all layers deploy them."""

import json
from datetime import UTC, datetime
from typing import Any

import pulumi
import pytest

from declared import ROOT, Declared, run_environment, stack_config
from gkeplatform.layers import LAYERS
from policies.check import Report, judge, pack_for
from policies.reports.as_text import render

FIREWALL = "gcp:compute/firewall:Firewall"
ADDRESSES = {
    "cluster-ip": "http://words.models.svc:8501/v1/models/words",
    "load-balancer": "http://203.0.113.7/v1/models/words",
    "http-load-balancer": None,
    "ingress": "http://203.0.113.7/words/v1/models/words",
    "gateway": "http://198.51.100.4/words/v1/models/words",
}
"""By kind of exposure, the URL that the serving layer publishes."""


def entry(kind: str) -> dict[str, Any]:
    more: dict[str, dict[str, Any]] = {
        "http-load-balancer": {"paths": ["/v1/models/words"]},
        "ingress": {"path": "/words"},
        "gateway": {"path": "/words"},
    }
    amounts = {"cpu": "500m", "memory": "1Gi"}
    return {
        "name": "words",
        "server": "tensorflow-serving",
        "source": "gs://acme-ml-dev-models/words",
        "replicas": {"min": 2, "max": 2},
        "resources": {"requests": amounts, "limits": amounts},
        "exposure": {"kind": kind, **more.get(kind, {})},
    }


def deployed(*models: dict[str, Any], **edits: str) -> dict[str, Declared]:
    """All layers of dev with another catalog; a mandatory rule's finding fails the test."""
    found = run_environment("dev", {"gke-serving:models": json.dumps(models), **edits})
    pack = pack_for("dev", root=ROOT, today=datetime.now(UTC).date())
    report = Report()
    for layer in LAYERS:
        resources = found[layer.name].resources("dev", layer.project)
        report.add(judge(resources, pack, environment="dev", layer=layer.name))
    assert report.is_clean, render(report)
    return found


@pytest.mark.parametrize("kind", ADDRESSES)
def test_a_catalog_of_one_exposure_is_deployed(kind: str) -> None:
    found = deployed(entry(kind))
    (model,) = found["serving"].outputs["models"]
    assert model["url"] == ADDRESSES[kind]
    assert ("kubernetes:apps/v1:Deployment", "words") in found["serving"].inputs
    rules = found["networking"].of(FIREWALL)
    assert len(rules) == (1 if kind == "http-load-balancer" else 0)
    assert all(name.startswith("front-ends-") for name in rules)


def test_a_catalog_without_models_is_deployed() -> None:
    assert stack_config("dev")["gke-serving:models"] != "[]"
    found = deployed()
    assert found["serving"].outputs["models"] == []
    assert found["networking"].of(FIREWALL) == {}


def test_a_catalog_of_a_team_s_models_alone_is_deployed() -> None:
    team = {"name": "vision", "quota": {"cpu": "8", "memory": "32Gi"}}
    edits = {"gke-serving:teams": json.dumps([team])}
    found = deployed(entry("cluster-ip") | {"team": "vision"}, **edits)
    policies = found["serving"].of("kubernetes:networking.k8s.io/v1:NetworkPolicy")
    assert set(policies) == {"vision"}


def test_a_deprecated_key_of_a_team_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", warnings.append)
    limits = {"cpu": "4", "memory": "8Gi"}
    team = {"name": "vision", "quota": {"cpu": "8", "memory": "32Gi"}, "container_most": limits}
    found = deployed(entry("cluster-ip"), **{"gke-serving:teams": json.dumps([team])})
    (limit_range,) = found["serving"].of("kubernetes:core/v1:LimitRange").values()
    assert limit_range["spec"]["limits"][0]["max"] == limits
    assert [one for one in warnings if "now called max_container_limits" in one]
