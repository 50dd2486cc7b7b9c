"""The guide of compute classes: its class and its model are deployed as they are written."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from declared import ROOT, Declared, run_layer
from gkeplatform import stack_values
from gkeplatform.layers import CLUSTER, SERVING
from policies.check import Report, judge, pack_for
from policies.reports.as_text import render

LABEL = "cloud.google.com/compute-class"
GUIDE = (ROOT / "docs" / "guides" / "compute-classes.md").read_text()
[BLOCK] = re.findall(r"^```yaml\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def declared() -> dict[str, Declared]:
    """What the two layers declare of the smallest stack file with the guide's keys."""
    text = (ROOT / "tests" / "smallest.yaml").read_text().replace("acme-ml-tiny", "acme-ml-dev")
    document: dict[str, Any] = yaml.safe_load(text)
    own, keys = document["config"], yaml.safe_load(BLOCK)
    own["gke-cluster:cluster"]["zones"] = ["europe-west4-a", "europe-west4-b"]
    keys["gke-cluster:node_pools"] += own["gke-cluster:node_pools"]
    config = stack_values.of_document({"config": own | keys}, "stacks/Pulumi.dev.yaml")
    cluster = run_layer(CLUSTER, "dev", {}, config)
    upstream = {f"organization/{CLUSTER.project}/dev": cluster.outputs}
    return {"cluster": cluster, "serving": run_layer(SERVING, "dev", upstream, config)}


def test_the_pools_of_the_class_have_its_label_and_taint(declared: dict[str, Declared]) -> None:
    pools = declared["cluster"].of("gcp:container/nodePool:NodePool")
    bound = {name for name, one in pools.items() if one["nodeConfig"]["labels"].get(LABEL)}
    assert bound == {"l4-reserved", "l4", "l4-spot", "a100-flex"}
    for name in bound:
        config = pools[name]["nodeConfig"]
        assert config["labels"][LABEL] == "gpus"
        assert {"key": LABEL, "value": "gpus", "effect": "NO_SCHEDULE"} in config["taints"]


def test_the_model_selects_the_class_that_is_declared(declared: dict[str, Declared]) -> None:
    serving = declared["serving"]
    [one] = serving.of("kubernetes:cloud.google.com/v1:ComputeClass").values()
    assert one["metadata"]["name"] == "gpus"
    assert one["spec"]["priorities"] == [
        {"nodepools": ["l4-reserved"]},
        {"nodepools": ["l4"]},
        {"nodepools": ["l4-spot", "a100-flex"]},
    ]
    model = serving.of("kubernetes:apps/v1:Deployment")["assistant"]
    spec = model["spec"]["template"]["spec"]
    assert spec["nodeSelector"] == {LABEL: "gpus"}
    assert LABEL in {one["key"] for one in spec["tolerations"]}


def test_the_pod_chooses_its_arguments_by_a_config_map_that_is_declared(
    declared: dict[str, Declared],
) -> None:
    serving = declared["serving"]
    spec = serving.of("kubernetes:apps/v1:Deployment")["assistant"]["spec"]["template"]["spec"]
    [name] = (one["configMap"]["name"] for one in spec["volumes"] if "configMap" in one)
    program = spec["containers"][0]["command"][2].rpartition("/")[2]
    assert program in serving.of("kubernetes:core/v1:ConfigMap")[name]["data"]


def test_the_policies_accept_it(declared: dict[str, Declared]) -> None:
    pack = pack_for("dev", root=ROOT, today=datetime.now(UTC).date())
    report = Report()
    for layer in (CLUSTER, SERVING):
        resources = declared[layer.name].resources("dev", layer.project)
        report.add(judge(resources, pack, environment="dev", layer=layer.name))
    assert report.is_clean, render(report)
