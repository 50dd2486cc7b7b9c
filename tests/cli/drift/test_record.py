"""The record of the last comparison: what it keeps, and what the page says of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli.drift import record
from cli.drift.findings import Finding, Layer, Pending, Value
from cli.drift.record import Compared
from cli.show import page
from tests.cli.show.pictures import picture

AT = datetime(2026, 11, 27, 9, 30, tzinfo=UTC)
CHANGED = Layer(
    findings=(
        Finding("urn", "gcp:compute/firewall:Firewall", "health", "id", is_gone=False, repair="",
                values=(Value("description", "CANARY", "CANARY", repaired=True),)),
    ),
    pending=(Pending("urn", "type", "general", "update"),),
)  # fmt: skip


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    return {"PULUMI_HOME": str(tmp_path), "PULUMI_BACKEND_URL": "file:///states"}


def test_a_comparison_is_read_again_without_its_values(
    variables: dict[str, str], tmp_path: Path
) -> None:
    record.keep("dev", {"cluster": record.of_layer(CHANGED, AT)}, variables)
    assert record.read("dev", variables) == {
        "cluster": Compared(
            at="2026-11-27T09:30:00+00:00", changed=("health",), pending=("general",)
        )
    }
    (file,) = (path for path in tmp_path.rglob("*.json"))
    assert "CANARY" not in file.read_text()


def test_a_later_comparison_replaces_that_of_its_layer_alone(variables: dict[str, str]) -> None:
    record.keep("dev", {name: record.of_layer(CHANGED, AT) for name in ("a", "b")}, variables)
    record.keep("dev", {"a": record.of_layer(Layer(), AT)}, variables)
    found = record.read("dev", variables)
    assert found["a"].changed == ()
    assert found["b"].changed == ("health",)


def test_other_environments_and_backends_have_their_own(variables: dict[str, str]) -> None:
    record.keep("dev", {"a": record.of_layer(CHANGED, AT)}, variables)
    assert record.read("stage", variables) == {}
    assert record.read("dev", {**variables, "PULUMI_BACKEND_URL": "gs://states"}) == {}


@pytest.mark.parametrize(
    ("drift", "said"),
    [
        (None, "drift not compared on this machine"),
        (Compared(at="2026-11-27T12:00:00Z"), "no drift, compared 2026-11-27 12:00 UTC"),
        (Compared(at="2026-11-27T12:00:00Z", changed=("a", "b")), "drift: a, b"),
        (Compared(at="2026-11-27T12:00:00Z", failed=True), "drift: not compared whole"),
        (Compared(at="2026-11-26T12:00:00Z"), "before the last update"),
    ],
)
def test_the_page_tells_what_the_last_comparison_found(drift: Compared | None, said: str) -> None:
    of = picture()
    layer = replace(of.layers[0], drift=drift)
    text = page.parts(replace(of, layers=(layer,)), root=".")["layers"]
    assert said in text
    assert text.count("before the last update") == (said == "before the last update")
