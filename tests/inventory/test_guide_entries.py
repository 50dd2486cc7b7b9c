"""The guide of adding a model: each of its entries is deployed as it is written."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from declared import ROOT, Declared, run_layer
from gkeplatform import stack_values
from gkeplatform.layers import LAYERS, in_order
from infra.serving.models.presets import PRESETS

GUIDE = ROOT / "docs" / "guides" / "adding-a-model.md"
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", GUIDE.read_text(), re.DOTALL | re.MULTILINE)
DOCUMENTS = [yaml.safe_load(block) for block in BLOCKS]
ENTRIES = [entry for one in DOCUMENTS if isinstance(one, list) for entry in one]
POOLS = [
    pool
    for one in DOCUMENTS
    if isinstance(one, dict)
    for pool in one.get("gke-cluster:node_pools", ())
]
ENVIRONMENT = "dev"


def config(models: list[Any]) -> dict[str, str]:
    """The smallest stack file as dev's, with the guide's node pools and these models."""
    text = (ROOT / "tests" / "smallest.yaml").read_text().replace("acme-ml-tiny", "acme-ml-dev")
    document = yaml.safe_load(text)
    keys = document["config"]
    keys["gke-cluster:node_pools"] = [
        {"name": "general", "machine_type": "n2-standard-8", "max_nodes": 6},
        *POOLS,
    ]
    keys["gke-serving:models"] = models
    return stack_values.of_document(document, "stacks/Pulumi.dev.yaml")


def deployed(models: list[Any]) -> dict[str, Declared]:
    keys = config(models)
    upstream: dict[str, dict[str, Any]] = {}
    found = {}
    for layer in in_order(LAYERS):
        found[layer.name] = run_layer(layer, ENVIRONMENT, upstream, keys)
        upstream[f"organization/{layer.project}/{ENVIRONMENT}"] = found[layer.name].outputs
    return found


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: str(entry["name"]))
def test_an_entry_of_the_guide_is_deployed(entry: dict[str, Any]) -> None:
    found = deployed([entry])
    assert entry["name"] in found["serving"].of("kubernetes:apps/v1:Deployment")
    assert [model["name"] for model in found["environment"].outputs["models"]] == [entry["name"]]


def test_all_entries_of_the_guide_fit_one_catalogue() -> None:
    found = deployed(ENTRIES)
    assert len(found["environment"].outputs["models"]) == len(ENTRIES)


def test_the_guide_has_an_entry_of_each_kind() -> None:
    servers = {entry["server"] for entry in ENTRIES}
    assert servers >= {"tensorflow-serving", "triton", "vllm", "custom"}
    assert any("gpu" in entry["resources"] for entry in ENTRIES)
    assert any("tpu" in entry["resources"] for entry in ENTRIES)
    assert any("rest_port" not in entry.get("custom", {"rest_port": 1}) for entry in ENTRIES)
    assert json.dumps(ENTRIES).count('"via"') >= 4


def test_the_guide_names_every_preset_and_no_other() -> None:
    table = GUIDE.read_text().partition("## The servers")[2].partition("\n- ")[0]
    named = set(re.findall(r"^\| `([a-z0-9-]+)` \|", table, re.MULTILINE)) - {"server"}
    assert named == {*PRESETS, "custom"}
