"""`platformctl preview` of all layers, and what an update then does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.events import Run
from cli.impact.operations import Operation, changes
from tests.rehearsal.workspace import PROJECTS, Workspace

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("rehearsal")]

POOL = """\
    - name: extra
      machine_type: n2-standard-4
      min_nodes: 1
      max_nodes: 2

  gke-serving:namespace: models
"""


def performed(dev: Workspace, layer: str, log: Path) -> dict[str, str]:
    """Deploy a layer: the operation with each resource that is not left alone."""
    command = ["pulumi", "up", "-s", "dev", "--yes", "--skip-preview", "--event-log", str(log)]
    dev.run("env", "PULUMI_DEBUG_COMMANDS=true", *command, layer=layer)
    run = Run()
    for line in log.read_text().splitlines():
        run.take(json.loads(line))
    return {
        urn: one.operation.value
        for urn, one in changes(layer, run.steps).items()
        if one.operation is not Operation.SAME
        and not one.step.type.startswith(("gkeplatform:", "pulumi:"))
    }


def test_an_update_does_what_the_preview_of_all_layers_said(dev: Workspace, tmp_path: Path) -> None:
    stack = dev.root / "stacks" / "Pulumi.dev.yaml"
    before = stack.read_text()
    states = {layer: dev.state(layer)["resources"] for layer in ("cluster", "networking")}
    try:
        stack.write_text(before.replace("  gke-serving:namespace: models\n", POOL, 1))
        said = dev.run(*dev.command("preview", "dev", "--json"))
        document = json.loads(said.stdout)
        assert {layer: dev.state(layer)["resources"] for layer in states} == states
        predicted: dict[str, dict[str, str]] = {layer: {} for layer in PROJECTS}
        for one in (*document["changes"], *document["replaced_or_deleted"]):
            predicted[one["layer"]][one["urn"]] = one["operation"]
        # Nothing but the new pool's instance groups changes the load balancer.
        assert "update" in predicted["networking"].values()
        done = {layer: performed(dev, layer, tmp_path / layer) for layer in PROJECTS}
        assert done == predicted
    finally:
        stack.write_text(before)
        dev.rehearse()
