"""Bad input is refused with one clear error before anything is touched."""

from __future__ import annotations

import pytest

from tests.rehearsal.workspace import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("rehearsal")]

CASES = {
    "an unknown key": ("min_nodes:", "minimum_nodes:", ["minimum_nodes", "min_nodes"]),
    "a domain without a certificate": (
        "- name: translate.dev",
        "- name: translat.dev",
        ["gke-networking:domains[1].name", 'did you mean "translate.dev.acme.example"'],
    ),
    "a wrong type": ("max_nodes: ", "max_nodes: many #", ["max_nodes", "expected"]),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_configuration_stops_before_anything_is_touched(dev: Workspace, case: str) -> None:
    old, new, words = CASES[case]
    stack = dev.root / "stacks" / "Pulumi.dev.yaml"
    before = stack.read_text()
    assert old in before
    try:
        stack.write_text(before.replace(old, new, 1))
        done = dev.platformctl("rehearse", "dev", check=False)
    finally:
        stack.write_text(before)
    text = done.stdout + done.stderr
    assert done.returncode != 0
    assert "Traceback" not in text
    for word in [*words, "stacks/Pulumi.dev.yaml"]:
        assert word in text, text


def test_an_upstream_layer_that_is_not_deployed_is_named(dev: Workspace) -> None:
    dev.run("pulumi", "stack", "init", "lonely", "--no-select", layer="serving", check=False)
    (dev.root / "stacks" / "Pulumi.lonely.yaml").write_text(
        (dev.root / "stacks" / "Pulumi.dev.yaml").read_text()
    )
    done = dev.run("pulumi", "preview", "-s", "lonely", layer="serving", check=False)
    text = done.stdout + done.stderr
    assert done.returncode != 0
    assert "Traceback" not in text
    assert "cluster" in text
