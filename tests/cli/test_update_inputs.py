"""What belongs to the digest of a layer's inputs, in a repository of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from cli.environments import ROOT
from cli.updates import inputs
from gkeplatform.layers import LAYERS

FILE = """
config:
  gcp:project: p
  platform:system: ml
  gke-cluster:node_pools: [{name: a}]
  gke-serving:catalogue: models/dev
  gke-serving:models: []
  gke-networking:domains: []
  gke-platform:budget: {amount: 1}
  gke-policies:rules: {}
"""
NAMES = {layer.name for layer in LAYERS}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in {
        "stacks/Pulumi.dev.yaml": FILE,
        "stacks/Pulumi.prod.yaml": FILE,
        "stacks/models/dev/fraud.yaml": "name: fraud\n",
        "infra/cluster/__main__.py": "",
        "policies/rules/one.py": "",
        "requirements.lock": "pulumi==3\n",
        "docs/README.md": "",
        "infra/cluster/__pycache__/x.pyc": "",
        ".venv/x": "",
    }.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path


def _digests(
    root: Path, variables: Mapping[str, str] = {}, day: str = "2026-11-27"
) -> dict[str, str]:
    machine = inputs.Machine(root, {"PULUMI_HOME": str(root / ".pulumi"), **variables}, day)
    return inputs.digests("dev", machine)


def _replaced(file: str, old: str, new: str) -> Callable[[Path], None]:
    def replace(root: Path) -> None:
        text = (root / file).read_text()
        assert old in text
        (root / file).write_text(text.replace(old, new))

    return replace


def _written(file: str) -> Callable[[Path], None]:
    def write(root: Path) -> None:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text("changed")

    return write


STACK = "stacks/Pulumi.dev.yaml"


@pytest.mark.parametrize(
    ("change", "affected"),
    [
        (_replaced(STACK, "project: p", "project: q"), NAMES),
        (_replaced(STACK, "system: ml", "system: ai"), NAMES),
        (_replaced(STACK, "rules: {}", "rules: {a: advisory}"), NAMES),
        (_replaced(STACK, "name: a", "name: b"), {"cluster", "networking"}),
        (_replaced(STACK, "gke-serving:models: []", "gke-serving:models: [1]"), {"serving"}),
        (_replaced("stacks/models/dev/fraud.yaml", "fraud", "spam"), {"serving"}),
        (_replaced(STACK, "domains: []", "domains: [a]"), {"networking"}),
        (_replaced(STACK, "amount: 1", "amount: 2"), {"environment"}),
        (_written("infra/cluster/__main__.py"), NAMES),
        (_written("infra/cluster/new.json"), NAMES),
        (_written("policies/rules/one.py"), NAMES),
        (_written("requirements.lock"), NAMES),
        (_written("stacks/certificates/dev.pem"), NAMES),
        (_written(".pulumi/plugins/resource-gcp-v10/binary"), NAMES),
        (_written("docs/README.md"), set()),
        (_written("CHANGELOG.md"), set()),
        (_written("dev.html"), set()),
        (_written("stacks/Pulumi.prod.yaml"), set()),
        (_written("infra/cluster/__pycache__/x.pyc"), set()),
        (_written(".venv/x"), set()),
    ],
)
def test_what_a_program_may_read_changes_its_digest(
    change: Callable[[Path], None], affected: set[str], root: Path
) -> None:
    before = _digests(root)
    assert before == _digests(root)
    change(root)
    after = _digests(root)
    assert {name for name in NAMES if before[name] != after[name]} == affected


@pytest.mark.parametrize(
    ("variables", "day", "is_same"),
    [
        ({"PULUMI_K8S_DELETE_UNREACHABLE": "true"}, "2026-11-27", False),
        ({"GOOGLE_REGION": "europe-west4"}, "2026-11-27", False),
        ({}, "2026-11-28", False),
        ({"GOOGLE_OAUTH_ACCESS_TOKEN": "new at each login"}, "2026-11-27", True),
        ({"TERM": "dumb"}, "2026-11-27", True),
    ],
)
def test_the_engines_variables_and_the_day_count(
    variables: dict[str, str], day: str, is_same: bool, root: Path
) -> None:
    assert (_digests(root) == _digests(root, variables, day)) is is_same


@pytest.mark.parametrize("text", ["config: [", "", "config: {}"])
def test_a_file_that_cannot_be_read_has_no_digest(text: str, root: Path) -> None:
    (root / STACK).write_text(text)
    assert _digests(root) == {}


def test_only_layers_that_are_previewed_ask_the_account_for_what_can_change() -> None:
    """The cluster and environment layers may be left out of an update that affects others."""
    constant = {"get_project_output"}  # a project's number
    asked = {
        found
        for layer in ("cluster", "environment")
        for file in (ROOT / "infra" / layer).rglob("*.py")
        for found in re.findall(r"\b[a-z_]+\.(get_\w+)\(", file.read_text())
        if found not in ("get_stack", "get_project", "get_close_matches", "get_organization")
    }
    assert asked <= constant
    assert "pulumi_kubernetes" not in "".join(
        file.read_text()
        for layer in ("cluster", "environment")
        for file in (ROOT / "infra" / layer).rglob("*.py")
    )
