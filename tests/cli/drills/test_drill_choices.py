"""Which drills there are, what they change, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from cli import routing
from cli.drills import catalog, exposures, fallback, prometheus, staging, stock, updates, weights
from cli.errors import CliError
from cli.workloads import is_over
from declared import ROOT
from infra.serving.exposures.gateway import Gateway
from infra.serving.exposures.http_load_balancer import HttpLoadBalancer
from infra.serving.exposures.ingress import Ingress

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
        ("exposure-move", "dev", "sentiment"),
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
        ("exposure-move", "resnet", "neither on an Ingress nor on the Gateway"),
    ],
)
def test_a_model_that_a_drill_does_not_fit(drill: str, model: str, reason: str) -> None:
    with pytest.raises(CliError, match=reason):
        staging.model(routing.plan("dev"), catalog.find(drill), model)


def test_every_machine_type_runs_out_in_every_zone() -> None:
    def node(name: str, zone: str, machine: str, **spec: Any) -> Json:
        labels = {
            "topology.kubernetes.io/zone": zone,
            "node.kubernetes.io/instance-type": machine,
        }
        return {"metadata": {"name": name, "labels": labels}, "spec": spec}

    nodes = [
        node("b", "zone-b", "n2-standard-8"),
        node("a", "zone-a", "n2-standard-4"),
        node("c", "zone-a", "n2-standard-4", unschedulable=True),
    ]
    found = stock.found(nodes, [{"metadata": {"name": "resnet-1", "uid": "u"}}])
    assert found.nodes == ("a", "b")
    assert found.pods == {"u"}
    assert found.stock == {
        (zone, f"n2-standard-{cores}") for zone in ("zone-a", "zone-b") for cores in (4, 8)
    }


def test_a_model_with_a_class_loses_the_first_choice_alone() -> None:
    def node(name: str, pool: str, zone: str, way: str) -> Json:
        labels = {
            "cloud.google.com/gke-nodepool": pool,
            "cloud.google.com/gke-provisioning": way,
            "node.kubernetes.io/instance-type": "g2-standard-8",
            "topology.kubernetes.io/zone": zone,
        }
        return {"metadata": {"name": name, "labels": labels}, "spec": {}}

    nodes = [node("a", "l4", "zone-a", "standard"), node("b", "l4-spot", "zone-b", "spot")]
    rules = [{"nodepools": ["l4"]}, {"nodepools": ["l4-spot"]}]
    spec = {"priorities": rules, "activeMigration": {"optimizeRulePriority": True}}
    found = fallback.choice({"metadata": {"name": "gpus"}, "spec": spec}, nodes)
    assert (found.nodes, set(found.pools), found.returns) == (("a",), {"l4"}, True)
    assert found.stock == {(zone, "g2-standard-8", "standard") for zone in ("zone-a", "zone-b")}
    with pytest.raises(CliError, match="no second choice"):
        fallback.choice({"metadata": {"name": "gpus"}, "spec": {"priorities": rules[:1]}}, nodes)


def test_the_first_choice_may_be_pools_that_gke_has_created() -> None:
    def node(pool: str, machine: str, way: str, class_: str = "gpus") -> Json:
        labels = {
            "cloud.google.com/compute-class": class_,
            "cloud.google.com/gke-nodepool": pool,
            "cloud.google.com/gke-provisioning": way,
            "node.kubernetes.io/instance-type": machine,
            "topology.kubernetes.io/zone": "zone-a",
        }
        return {"metadata": {"name": f"of-{pool}", "labels": labels}, "spec": {}}

    nodes = [
        node("nap-1", "g2-standard-12", "spot"),
        node("nap-2", "g2-standard-12", "flex-start"),
        node("nap-3", "g2-standard-12", "spot", "other"),
        node("standby", "g2-standard-12", "spot"),
    ]
    spot: Json = {"machineType": "g2-standard-12", "spot": True}
    flex: Json = {"machineType": "g2-standard-12", "flexStart": {"enabled": True}}

    def pools(rule: Json) -> set[str]:
        spec = {"priorities": [rule, {"nodepools": ["standby"]}]}
        return set(fallback.choice({"metadata": {"name": "gpus"}, "spec": spec}, nodes).pools)

    assert pools(spot) == {"nap-1"}
    assert pools(flex) == {"nap-2"}
    assert pools({**spot, "location": {"zones": ["zone-b"]}}) == set()


def _changed(environment: str, model: str, **changes: Any) -> routing.Plan:
    """The plan of an environment in which one model is another."""
    plan = routing.plan(environment)
    models = [
        msgspec.structs.replace(one, **changes) if one.name == model else one
        for one in plan.serving.models
    ]
    return replace(plan, serving=msgspec.structs.replace(plan.serving, models=tuple(models)))


def test_a_model_of_grpc_is_drilled_but_for_its_handshakes() -> None:
    exposure = HttpLoadBalancer(paths=("/tensorflow.serving.PredictionService",), protocol="grpc")
    plan = _changed("dev", "resnet", exposure=exposure)
    assert staging.model(plan, catalog.find("rolling-update"), "resnet").name == "resnet"
    with pytest.raises(CliError, match="keeps its connection"):
        staging.model(plan, catalog.find("certificate-change"), "resnet")


def test_a_model_cannot_move_to_an_ingress_that_is_not_set() -> None:
    with pytest.raises(CliError, match="gke-serving:ingress is not set"):
        staging.model(routing.plan("stage"), catalog.find("exposure-move"), "sentiment")


def test_a_model_that_moves_already_is_not_moved() -> None:
    exposure, former = Gateway(path="/model"), Ingress(path="/model")
    plan = _changed("dev", "sentiment", exposure=exposure, former_exposure=former)
    with pytest.raises(CliError, match="moves already"):
        staging.model(plan, catalog.find("exposure-move"), "sentiment")


def test_the_other_exposure_has_the_keys_of_both_kinds_alone() -> None:
    gateway = {"kind": "gateway", "path": "/m", "hosts": ["m.example"], "rewrite": "/v1"}
    assert exposures.other(gateway) == {"kind": "ingress", "path": "/m", "hosts": ["m.example"]}


def test_an_update_of_a_drill_edits_one_model_of_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    salt = tmp_path / "salt"
    salt.write_text("encryptionsalt: v1:abc\n")
    made = updates.Updates(environment="dev", variables={}, salt=salt, folder=tmp_path / "drills")
    monkeypatch.setattr(updates.Updates, "_up", lambda _, variables: variables)
    before = (ROOT / "stacks" / "Pulumi.dev.yaml").read_text()
    given: Any = made.deploy("sentiment", {"exposure": {"kind": "gateway", "path": "/m"}})
    assert (ROOT / "stacks" / "Pulumi.dev.yaml").read_text() == before
    copy = yaml.safe_load(Path(given["PULUMI_OPTION_CONFIG_FILE"]).read_text())
    committed = yaml.safe_load(before)["config"]
    assert copy.pop("encryptionsalt") == "v1:abc"
    models = {one["name"]: one for one in copy["config"].pop("gke-serving:models")}
    old = {one["name"]: one for one in committed.pop("gke-serving:models")}
    assert copy["config"] == committed
    assert models.pop("sentiment") == {
        **old.pop("sentiment"), "exposure": {"kind": "gateway", "path": "/m"},
    }  # fmt: skip
    assert models == old


def test_a_model_of_the_catalogue_is_not_edited(tmp_path: Path) -> None:
    made = updates.Updates(environment="dev", variables={}, salt=tmp_path, folder=tmp_path)
    with pytest.raises(CliError, match="in the catalogue"):
        made.entry("elsewhere")


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
        "kind": "Deployment",
        "metadata": {"generation": 2},
        "spec": {"replicas": 3},
        "status": {**whole, **status},
    }
    assert is_over(deployment) is available


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
