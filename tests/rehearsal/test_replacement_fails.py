"""The cluster layer: a replacement that fails halfway and is reverted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.rehearsal.workspace import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("rehearsal")]

PROJECT = "acme-ml-back"
TAKEN = "172.20.0.0/28"
POOL = {"name": "serving", "machine_type": "n2-standard-4", "max_nodes": 1}


class Back:
    """The cluster layer of an environment of the tests' own."""

    def __init__(self, workspace: Workspace, stack: Path) -> None:
        self.workspace = workspace
        self.stack = stack

    def pulumi(self, *command: str, check: bool = True) -> str:
        done = self.workspace.run(
            "pulumi", *command, "--stack", "back", layer="cluster", check=check
        )
        return done.stdout + done.stderr

    def up(self, control_plane_cidr: str, *, check: bool = True) -> str:
        document = yaml.safe_load(self.stack.read_text())
        document["config"]["gke-cluster:cluster"]["control_plane_cidr"] = control_plane_cidr
        self.stack.write_text(yaml.safe_dump(document))
        return self.pulumi("up", "--yes", "--skip-preview", check=check)

    def compute(self, path: str, method: str = "GET", **options: Any) -> Any:
        return self.workspace.google("compute", f"projects/{PROJECT}/{path}", method, **options)

    def subnetworks(self) -> dict[str, str]:
        listed = self.compute("regions/europe-west4/subnetworks").get("items", [])
        return {one["name"]: one["ipCidrRange"] for one in listed}

    def clusters(self) -> list[Any]:
        found = self.workspace.google("container", f"projects/{PROJECT}/locations/-/clusters")
        return list(found.get("clusters", []))


@pytest.fixture
def back(workspace: Workspace) -> Iterator[Back]:
    workspace.platformctl("sandbox", "start")
    stacks = workspace.root / "stacks"
    stack = stacks / "Pulumi.back.yaml"
    text = (stacks / "Pulumi.dev.yaml").read_text().replace("acme-ml-dev", PROJECT)
    document = yaml.safe_load(text)
    document["config"]["gke-cluster:node_pools"] = [POOL]
    stack.write_text(yaml.safe_dump(document))
    made = Back(workspace, stack)
    made.pulumi("stack", "init")
    yield made
    if "foreign" in made.subnetworks():
        made.compute("regions/europe-west4/subnetworks/foreign", "DELETE")
    made.pulumi("destroy", "--yes")
    stack.unlink()


def test_reverting_a_failed_replacement_restores_everything(back: Back) -> None:
    before = "172.16.0.0/28"
    back.up(before)
    subnetworks = back.subnetworks()
    network = f"projects/{PROJECT}/global/networks/acme-ml-back-network"
    foreign = {"name": "foreign", "network": network, "ipCidrRange": TAKEN}
    back.compute("regions/europe-west4/subnetworks", "POST", json=foreign)

    refused = back.up(TAKEN, check=False)
    assert "foreign" in refused or TAKEN in refused, refused
    assert back.clusters() == []

    back.up(before)
    assert back.subnetworks() == {**subnetworks, "foreign": TAKEN}
    (cluster,) = back.clusters()
    assert [pool["name"] for pool in cluster["nodePools"]] == ["serving"]
    assert "unchanged" in back.up(before)
