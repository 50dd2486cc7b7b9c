"""The README's commands work as written, and its links resolve."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.rehearsal.workspace import ROOT, Workspace

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
CHECK = "./platformctl check\n"
LINKS = re.findall(r"\]\((?!https?://)([^)#]+)", README)


def test_the_readmes_commands_exist() -> None:
    assert "./platformctl rehearse dev\n" in BLOCKS
    assert "./platformctl test\n" in BLOCKS
    assert CHECK in BLOCKS


@pytest.mark.slow
def test_the_check_passes_as_written() -> None:
    script = CHECK.replace("./platformctl", f"{sys.executable} -m cli")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for check in ("ruff", "mypy", "actionlint", "zizmor", "policies"):
        assert f"== {check}" in done.stderr
    # Data on stdout is the report, and nothing else.
    assert done.stdout.splitlines()[-1].endswith("waived")


@pytest.mark.parametrize("link", sorted(set(LINKS)))
def test_a_link_resolves(link: str) -> None:
    assert (ROOT / link).exists()


@pytest.mark.slow
@pytest.mark.xdist_group("rehearsal")
@pytest.mark.parametrize("block", [b for b in BLOCKS if "sandbox env" in b])
def test_looking_around_works_as_written(dev: Workspace, block: str) -> None:
    # The launcher would create a virtual environment for the copy; use ours.
    script = block.replace("./platformctl", f"{sys.executable} -m cli")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=dev.root,
        env=dev.base_environment(),
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for word in ("deployment.apps/resnet", "unchanged", "kubeconfig"):
        assert word in done.stdout, done.stdout
