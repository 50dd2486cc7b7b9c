"""A checkout with two environments, as small as they may be."""

from __future__ import annotations

from pathlib import Path

import pytest

from declared import ROOT


class Checkout:
    """The stack files of a repository that a test edits."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def text(self, environment: str) -> str:
        return (self.root / "stacks" / f"Pulumi.{environment}.yaml").read_text()

    def write(self, environment: str, text: str) -> None:
        (self.root / "stacks" / f"Pulumi.{environment}.yaml").write_text(text)

    def change(self, environment: str, old: str, new: str) -> None:
        text = self.text(environment)
        assert old in text
        self.write(environment, text.replace(old, new, 1))


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """dev, and a stage that differs from it only in what must."""
    (tmp_path / "stacks").mkdir()
    made = Checkout(tmp_path)
    dev = (ROOT / "stacks" / "Pulumi.dev.yaml").read_text()
    made.write("dev", dev)
    stage = dev.replace("acme-ml-dev", "acme-ml-stage").replace("dev.acme", "stage.acme")
    made.write("stage", stage.replace("10.64.0.0/14", "10.68.0.0/14"))
    return made
