"""What each layer declares in each environment, from the real programs and stack files."""

from typing import Any

import pytest

from declared import ROOT, Declared
from gkeplatform import promotion
from gkeplatform.environment import environments
from gkeplatform.layers import LAYERS
from tests.environment_runs import environment_run
from tests.inventory import golden_files

PROMOTION = promotion.order(ROOT)
ENVIRONMENTS = environments(ROOT)
# Bases come first, so that an update writes them before what differs from them.
ORDER = sorted(ENVIRONMENTS, key=lambda name: name in golden_files.BASES)
CASES = [(environment, layer.name) for environment in ORDER for layer in LAYERS]


def inventory(declared: Declared) -> golden_files.Values:
    """Every input of every resource."""
    values: golden_files.Values = {}
    for (kind, name), inputs in sorted(declared.inputs.items()):
        shown = {k: "(secret)" if k == "kubeconfig" else v for k, v in inputs.items()}
        values.setdefault(kind, {})[name] = shown
    return values


@pytest.mark.parametrize(("environment", "layer"), CASES)
def test_a_layer_declares_its_golden_inventory(
    environment: str, layer: str, is_updating: bool
) -> None:
    found = inventory(environment_run(environment)[layer])
    if is_updating:
        golden_files.write(environment, layer, found)
    expected = golden_files.load(environment, layer)
    assert found == expected, "run `pytest tests/inventory --update-inventory` and review the diff"


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_serving_stack_stays_small(environment: str) -> None:
    # The file backend writes the whole state twice a step: 500 resources take 50 seconds.
    assert (
        len(environment_run(environment)["serving"].inputs) < 175
    )  # KEDA: 28, the Inference Gateway: 27


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
def test_the_same_catalog_is_served_everywhere(environment: str) -> None:
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
