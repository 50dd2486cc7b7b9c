"""What each layer declares in each environment, from the real programs and stack files."""

from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from declared import ROOT, Declared, run_environment
from gkeplatform.environment import environments
from gkeplatform.layers import LAYERS
from tests.promotion import PROMOTION

ENVIRONMENTS = environments(ROOT)
GOLDEN = Path(__file__).parent / "golden"
CASES = [(environment, layer.name) for environment in ENVIRONMENTS for layer in LAYERS]


@cache
def environment_run(environment: str) -> dict[str, Declared]:
    return run_environment(environment)


def inventory(declared: Declared) -> dict[str, Any]:
    """Counts by type, then every input of every resource."""
    values: dict[str, dict[str, Any]] = {}
    for (kind, name), inputs in sorted(declared.inputs.items()):
        shown = {k: "(secret)" if k == "kubeconfig" else v for k, v in inputs.items()}
        values.setdefault(kind, {})[name] = shown
    counts = Counter(kind for kind, _ in declared.inputs)
    return {"counts": dict(sorted(counts.items())), "values": values}


@pytest.mark.parametrize(("environment", "layer"), CASES)
def test_a_layer_declares_its_golden_inventory(
    environment: str, layer: str, is_updating: bool
) -> None:
    golden = GOLDEN / environment / f"{layer}.yaml"
    found = inventory(environment_run(environment)[layer])
    if is_updating:
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(yaml.safe_dump(found, width=100))
    expected = yaml.safe_load(golden.read_text())
    assert found == expected, "run `pytest tests/inventory --update-inventory` and review the diff"


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_serving_stack_stays_small(environment: str) -> None:
    # The file backend writes the whole state twice a step: 500 resources take 50 seconds.
    assert len(environment_run(environment)["serving"].inputs) < 130


def test_environments_share_no_physical_name() -> None:
    names: dict[str, set[str]] = {}
    for environment in ENVIRONMENTS:
        names[environment] = {
            inputs["name"]
            for declared in environment_run(environment).values()
            for (kind, _), inputs in declared.inputs.items()
            # Inside a cluster names are the cluster's own.
            if kind.startswith(("gcp:storage/", "gcp:compute/", "gcp:container/cluster"))
            and "name" in inputs
            and "InstanceGroupNamedPort" not in kind
        }
        assert names[environment]
    assert not names["dev"] & names["stage"]
    assert not names["stage"] & names["prod"]
    assert not names["dev"] & names["prod"]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_same_catalogue_is_served_everywhere(environment: str) -> None:
    models = environment_run(environment)["environment"].outputs["models"]
    assert [model["name"] for model in models] == [
        "resnet",
        "recommender",
        "translate",
        "fraud",
        "mobilenet",
        "embeddings",
        "sentiment",
        "segmenter",
        # Its GPUs are not paid for in dev.
        *(["assistant"] if environment != "dev" else []),
    ]


def test_protections_grow_from_dev_to_prod() -> None:
    def cluster(environment: str) -> dict[str, Any]:
        declared = environment_run(environment)["cluster"]
        return declared.inputs["gcp:container/cluster:Cluster", "main"]

    def bucket(environment: str) -> dict[str, Any]:
        declared = environment_run(environment)["serving"]
        return declared.inputs["gcp:storage/bucket:Bucket", "models"]

    assert [cluster(e)["deletionProtection"] for e in PROMOTION] == [False, False, True]
    assert [bucket(e)["versioning"]["enabled"] for e in PROMOTION] == [False, True, True]
    assert [bucket(e)["forceDestroy"] for e in PROMOTION] == [True, True, False]
