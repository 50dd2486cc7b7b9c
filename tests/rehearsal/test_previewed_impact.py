"""A sample of the edit matrix: what the preview of all layers says, and what updates then do."""

from __future__ import annotations

import pytest

from tests.edits.edits import of_keys
from tests.edits.named import named
from tests.edits.running import Runner
from tests.rehearsal.workspace import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("rehearsal")]

SAMPLE = (
    "a pool added",
    "a model added",
    "a model to another node port",
    "traffic split",
    "a certificate for each domain",
    "without a CDN",
    "gke-cluster:node_pools[].labels",
    "gke-serving:models[].environment",
    "gke-serving:models[].replicas.max",
    "gke-networking:static_files.cache.mode",
)
"""One of each kind that interrupts nothing: `python -m tests.edits` makes them all."""


def test_a_batch_of_edits_converges_as_it_was_previewed_and_is_taken_back(dev: Workspace) -> None:
    edits = {edit.name: edit for edit in (*named(), *of_keys()[0].values())}
    stack = dev.root / "stacks" / "Pulumi.dev.yaml"
    before = stack.read_text()
    try:
        runner = Runner(dev, "dev")
        runner.begin()
        made = runner.make([edits[name] for name in SAMPLE])
    finally:
        stack.write_text(before)
    assert made.refused == ""
    assert made.problems == []
    assert made.unknown == []
    assert made.done == made.predicted
    assert {layer for layer, _, _ in made.done} == {
        "cluster", "serving", "networking", "environment"
    }  # fmt: skip
    assert made.sent > 0
    assert made.lost == 0, made.losses
