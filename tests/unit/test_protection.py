"""What an environment protects, and what it lets go for one update."""

import json

import pytest

from declared import run_layer, stack_config
from gkeplatform.layers import LAYERS
from gkeplatform.protection import PROTECTED_TYPES
from tests.contracts.refusals import refusal
from tests.environment_runs import environment_run

CLUSTER = LAYERS[0]


@pytest.mark.parametrize("environment", ["stage", "prod"])
def test_whatever_cannot_be_made_again_is_protected(environment: str) -> None:
    for declared in environment_run(environment).values():
        keepers = {one for one in declared.inputs if one[0] in PROTECTED_TYPES}
        assert declared.protected == keepers


def test_dev_can_be_taken_away() -> None:
    assert not any(declared.protected for declared in environment_run("dev").values())


def test_what_is_released_by_name_is_not_protected() -> None:
    config = stack_config("stage") | {"platform:released": json.dumps(["Cluster::main"])}
    declared = run_layer(CLUSTER, "stage", {}, config)
    assert ("gcp:container/cluster:Cluster", "main") not in declared.protected


def test_a_release_that_names_nothing_is_refused() -> None:
    config = stack_config("stage") | {"platform:released": json.dumps(["main"])}
    said = refusal(CLUSTER, {}, config)
    assert "platform:released[0]" in said
