"""Locked log buckets: nobody can unlock one, and it stays when its callers have gone."""

from __future__ import annotations

from typing import Any

import pytest

from declared import run_environment, run_layer, stack_config
from gkeplatform.layers import SERVING
from tests.contracts.refusals import refusal
from tests.unit.callers_of_stage import CALLERS, TWO, edits

Json = dict[str, Any]
OWN = f"organization/{SERVING.project}/stage"
LOCKED = {"bucket": "acme-ml-stage-callers", "location": "europe-west4", "retention_days": 400}


@pytest.fixture(scope="module")
def upstream() -> Json:
    """What the layers have published once the log bucket is locked."""
    layers = run_environment("stage", config(locked=True))
    outputs = {
        f"organization/gke-{name}/stage": declared.outputs for name, declared in layers.items()
    }
    assert OWN in outputs
    return outputs


def config(**audit: Any) -> dict[str, str]:
    return edits({**TWO, "audit": {"retention_days": 400, **audit}})


def again(upstream: Json, changed: dict[str, str]) -> list[Json]:
    """The locked log buckets that the next deployment publishes."""
    found = run_layer(SERVING, "stage", upstream, stack_config("stage") | changed)
    logs: list[Json] = found.outputs["locked_logs"]
    return logs


def without_callers() -> dict[str, str]:
    return {key: value for key, value in config().items() if key != CALLERS}


def test_a_locked_log_bucket_is_published_once(upstream: Json) -> None:
    assert upstream[OWN]["locked_logs"] == [LOCKED]
    assert again(upstream, config(locked=True)) == [LOCKED]


def test_it_is_known_without_callers(upstream: Json) -> None:
    assert again(upstream, without_callers()) == [LOCKED]


@pytest.mark.parametrize(
    ("audit", "said"),
    [
        ({}, "callers.audit.locked: log bucket acme-ml-stage-callers in europe-west4 is"),
        ({"locked": False}, "nobody can unlock it; keep `locked: true`"),
        (
            {"locked": True, "retention_days": 30},
            "retention_days: log bucket acme-ml-stage-callers",
        ),
        ({"locked": True, "retention_days": 500}, "which nobody can change; keep 400"),
    ],
)
def test_what_google_refuses_is_refused_first(upstream: Json, audit: Json, said: str) -> None:
    told = refusal(SERVING, upstream, stack_config("stage") | config(**audit), environment="stage")
    assert said in told
    assert "hint: another `location` makes another bucket" in told


def test_another_location_is_another_bucket(upstream: Json) -> None:
    assert again(upstream, config(location="europe-west1", retention_days=30)) == [LOCKED]
    other = {**LOCKED, "location": "europe-west1", "retention_days": 30}
    given = config(location="europe-west1", retention_days=30, locked=True)
    assert again(upstream, given) == [LOCKED, other]
