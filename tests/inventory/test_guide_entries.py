"""The guides of adding models: each of their entries is deployed as it is written."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from declared import ROOT, Declared, run_layer
from gkeplatform import stack_values
from gkeplatform.layers import LAYERS, in_order
from infra.serving.models.presets import PRESETS
from policies.check import judge, pack_for
from policies.registry import RULES
from policies.reports.as_text import render

GUIDE = ROOT / "docs" / "guides" / "adding-a-model.md"
LANGUAGE_MODELS = GUIDE.with_name("language-models.md")
BLOCKS = [
    block
    for guide in (GUIDE, LANGUAGE_MODELS)
    for block in re.findall(r"^```yaml\n(.*?)^```", guide.read_text(), re.DOTALL | re.MULTILINE)
]
DOCUMENTS = [yaml.safe_load(block) for block in BLOCKS]
ENTRIES = [entry for one in DOCUMENTS if isinstance(one, list) for entry in one]
POOLS = [
    pool
    for one in DOCUMENTS
    if isinstance(one, dict)
    for pool in one.get("gke-cluster:node_pools", ())
]
FEATURES = {
    key: value
    for one in DOCUMENTS
    if isinstance(one, dict)
    for key, value in one.get("gke-cluster:cluster", {}).items()
}
ENVIRONMENT = "dev"
DEPLOYMENT = "apps/v1:Deployment"


def config(models: list[Any]) -> dict[str, str]:
    """The smallest stack file as dev's, with the guide's node pools and these models."""
    text = (ROOT / "tests" / "smallest.yaml").read_text().replace("acme-ml-tiny", "acme-ml-dev")
    document = yaml.safe_load(text)
    keys = document["config"]
    keys["gke-cluster:node_pools"] = [
        {"name": "general", "machine_type": "n2-standard-8", "max_nodes": 6},
        *POOLS,
    ]
    keys["gke-cluster:cluster"] |= FEATURES
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
    kind = "leaderworkerset.x-k8s.io/v1:LeaderWorkerSet" if "hosts" in entry else DEPLOYMENT
    assert entry["name"] in found["serving"].of(f"kubernetes:{kind}")
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


# Without KEDA, which scales by the queue and has its waivers in stage and prod.
IMPORTS = [
    {key: value for key, value in entry.items() if key != "autoscaling"}
    | {"replicas": {"min": 2, "max": 2}}
    for entry in ENTRIES
    if "import" in entry
]


@pytest.fixture(scope="module")
def serving() -> Declared:
    """What the serving layer declares of the entries that are imported."""
    return deployed(IMPORTS)["serving"]


def test_pods_wait_for_imports_and_the_list_of_adapters(serving: Declared) -> None:
    deployment = ("kubernetes:apps/v1:Deployment", "assistant")
    jobs = {("kubernetes:batch/v1:Job", name) for name in serving.of("kubernetes:batch/v1:Job")}
    listed = ("kubernetes:core/v1:ConfigMap", "assistant-adapters")
    assert len(jobs) == 2
    assert jobs | {listed} <= serving.dependencies[deployment]
    sync = {one for one in serving.inputs if one[0].endswith(":SecretSync")}
    assert len(sync) == 1
    assert any(sync <= serving.dependencies[job] for job in jobs)


def test_an_import_writes_below_its_folder_and_reads_its_token_alone(serving: Declared) -> None:
    grants = serving.of("gcp:storage/bucketIAMMember:BucketIAMMember").values()
    writers = [one for one in grants if one["role"] == "roles/storage.objectUser"]
    below = {one["condition"]["expression"] for one in writers}
    assert below == {
        f'resource.name.startsWith("projects/_/buckets/acme-ml-dev-models/objects/{folder}/")'
        for folder in ("assistant", "adapters/sql")
    }
    readers = serving.of("gcp:secretmanager/secretIamMember:SecretIamMember")
    assert [one["secretId"] for one in readers.values()] == ["huggingface"]


def test_the_policies_pass_on_imports_and_adapters(serving: Declared) -> None:
    pack = pack_for(ENVIRONMENT, root=ROOT, today=datetime.now(UTC).date())
    resources = serving.resources(ENVIRONMENT, "gke-serving")
    report = judge(resources, pack, environment=ENVIRONMENT, layer="serving")
    found = {one.finding.rule.id for one in report.findings if one.stops}
    found |= {one.finding.rule.id for one in report.findings} & {
        rule.id for rule in RULES if rule.module == "policies.rules.model_files"
    }
    assert found == set(), render(report)
