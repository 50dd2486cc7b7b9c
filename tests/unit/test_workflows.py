"""What GitHub runs: sound by its linters, pinned, and calling commands that exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from cli import checks, environments
from cli.app import application
from gkeplatform.layers import LAYERS
from sandbox import engine

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github"
FILES = sorted([*GITHUB.glob("workflows/*.yml"), *GITHUB.glob("actions/*/action.yml")])
WORKFLOWS = {file.stem: yaml.safe_load(file.read_text()) for file in GITHUB.glob("workflows/*.yml")}
LINTERS = checks.workflows(Path("actionlint"))


def steps(content: Any) -> Iterator[dict[str, Any]]:
    """Every step of a workflow or a composite action."""
    for job in content.get("jobs", {"": content.get("runs", {})}).values():
        yield from job.get("steps", [])


def jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, workflow in WORKFLOWS.items():
        for job, content in workflow["jobs"].items():
            yield f"{name}/{job}", content


JOBS = dict(jobs())


@pytest.mark.parametrize("name", LINTERS)
def test_a_linter_is_content(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    command = checks.workflows(engine.actionlint())[name]
    assert checks.passes(name, command), capfd.readouterr()


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(GITHUB)))
def test_an_action_is_pinned_by_commit_and_says_its_version(file: Path) -> None:
    for line in file.read_text().splitlines():
        if "uses:" in line and "./.github/" not in line:
            assert re.search(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line


def test_the_same_action_is_the_same_commit_everywhere() -> None:
    text = "\n".join(file.read_text() for file in FILES)
    pins = set(re.findall(r"uses: ([\w./-]+)@([0-9a-f]{40})", text))
    assert len(pins) == len({action for action, _ in pins})


@pytest.mark.parametrize("job", JOBS)
def test_a_job_has_the_permissions_that_it_names_and_no_other(job: str) -> None:
    assert WORKFLOWS[job.partition("/")[0]]["permissions"] == {}
    assert "permissions" in JOBS[job]
    writes = {key for key, value in JOBS[job]["permissions"].items() if value == "write"}
    assert writes <= {"id-token", "security-events", "issues", "pull-requests"}


def test_only_a_job_that_runs_nothing_of_the_change_may_comment() -> None:
    writers = [key for key, job in JOBS.items() if "pull-requests" in job["permissions"]]
    assert writers == ["preview-environment/comment", "pull-request/preview"]
    assert "steps" not in JOBS["pull-request/preview"]  # it passes the permission on
    comment = JOBS["preview-environment/comment"]
    assert not [step for step in comment["steps"] if "uses" in step]
    assert set(comment["permissions"]) == {"pull-requests"}


@pytest.mark.parametrize("job", JOBS)
def test_a_job_ends_by_itself(job: str) -> None:
    assert "timeout-minutes" in JOBS[job] or "uses" in JOBS[job]


def test_no_key_of_an_account_is_kept() -> None:
    for file in FILES:
        assert "credentials_json" not in file.read_text()
        assert "secrets." not in file.read_text()


def test_every_layer_of_every_environment_is_previewed_and_compared() -> None:
    layers = [layer.name for layer in LAYERS]
    assert JOBS["preview-environment/layer"]["strategy"]["matrix"]["layer"] == layers
    drift = JOBS["drift/layer"]["strategy"]["matrix"]
    assert drift["layer"] == layers
    for job in ("pull-request/preview", "drift/layer", "deploy/deploy"):
        every = "${{ fromJSON(needs.environments.outputs.names) }}"
        assert JOBS[job]["strategy"]["matrix"]["environment"] == every
        assert "environments" in JOBS[job]["needs"]
        listing = JOBS[f"{job.partition('/')[0]}/environments"]["uses"]
        assert listing == "./.github/workflows/list-environments.yml"


def test_no_workflow_knows_an_environment_by_name() -> None:
    for file in FILES:
        for name in environments.names():
            assert not re.search(rf"(?<!/)\b{name}\b", file.read_text()), (file, name)


def test_environments_are_deployed_one_after_the_other() -> None:
    strategy = JOBS["deploy/deploy"]["strategy"]
    assert (strategy["max-parallel"], strategy["fail-fast"]) == (1, True)
    assert JOBS["deploy/deploy"]["with"] == {"environment": "${{ matrix.environment }}"}
    # The approval is a rule of the GitHub environment, which the job must name.
    assert JOBS["deploy-environment/up"]["environment"] == "${{ inputs.environment }}"


def test_the_gate_waits_for_every_job_of_a_pull_request() -> None:
    every = set(WORKFLOWS["pull-request"]["jobs"]) - {"gate"}
    assert set(JOBS["pull-request/gate"]["needs"]) == every
    assert "always()" in JOBS["pull-request/gate"]["if"]


def commands() -> Iterator[str]:
    for file in FILES:
        for step in steps(yaml.safe_load(file.read_text())):
            script = str(step.get("run", "")).replace("\\\n", " ")
            yield from (line for line in script.splitlines() if line.startswith("./platformctl"))


@pytest.mark.parametrize("command", sorted(set(commands())))
def test_a_command_of_ours_is_one_that_exists(command: str) -> None:
    words = shlex.split(command.partition(">")[0])[1:]
    found: Any = typer.main.get_command(application())
    while words and words[0] in getattr(found, "commands", {}):
        found = found.commands[words.pop(0)]
    options = {name for option in found.params for name in option.opts} | {"--help"}
    assert {word for word in words if word.startswith("-")} <= options
