"""Updates that would lose what an environment protects, and two updates at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cli import failures
from cli.errors import CliError, Exit
from cli.events import Run
from cli.exit_codes import MEANINGS
from cli.guards import exclusion, guard, losses, remaining
from cli.steps import Step
from gkeplatform.layers import CLUSTER, ENVIRONMENT, LAYERS, NETWORKING, SERVING
from gkeplatform.protection import PROTECTED_TYPES
from tests.cli.test_command_line import ROOT

BUCKET = "gcp:storage/bucket:Bucket"
CLUSTER_TYPE = "gcp:container/cluster:Cluster"
COMMAND = ["./platformctl", "up", "prod"]


def _urn(type_: str, name: str) -> str:
    return f"urn:pulumi:prod::p::{type_}::{name}"


def _step(op: str, type_: str = BUCKET, name: str = "models", **more: Any) -> Step:
    return Step(op, _urn(type_, name), type_, **more)


def _state(*resources: tuple[str, str]) -> dict[str, Any]:
    listed = [{"urn": _urn(*one), "type": one[0]} for one in resources]
    return {"deployment": {"resources": listed}}


@pytest.mark.parametrize("type_", PROTECTED_TYPES)
@pytest.mark.parametrize("op", ["replace", "create-replacement", "delete-replaced", "delete"])
def test_each_loss_of_what_is_kept_is_refused_by_name_and_with_its_flag(
    type_: str, op: str
) -> None:
    found = losses.of_steps(CLUSTER, [_step(op, type_, "main", replaces_for=("location",))])
    error = losses.refusal("prod", found, (), COMMAND)
    assert error is not None
    assert error.code is Exit.PROTECTED
    kind = type_.rpartition(":")[2]
    assert f"{kind}::main would be" in str(error)
    assert "location" in str(error)
    assert error.hint.endswith(f"./platformctl up prod --allow-replace {kind}::main")
    assert losses.refusal("prod", found, {f"{kind}::main"}, COMMAND) is None


@pytest.mark.parametrize("op", ["same", "update", "create", "refresh", "import"])
def test_what_is_kept_may_change_in_place(op: str) -> None:
    assert losses.of_steps(CLUSTER, [_step(op)]) == []


def test_other_resources_may_be_replaced() -> None:
    assert losses.of_steps(CLUSTER, [_step("replace", "gcp:container/nodePool:NodePool")]) == []


def test_the_steps_of_one_replacement_are_one_loss() -> None:
    steps = [
        _step("create-replacement", replaces_for=("name",)),
        _step("replace"),
        _step("delete-replaced"),
    ]
    [found] = losses.of_steps(SERVING, steps)
    assert (found.name, found.is_deleted, found.reasons) == ("Bucket::models", False, ("name",))


def test_no_flag_helps_against_deletion_protection() -> None:
    step = _step("replace", CLUSTER_TYPE, "main", old={"deletionProtection": True})
    error = losses.refusal("prod", losses.of_steps(CLUSTER, [step]), {"Cluster::main"}, COMMAND)
    assert error is not None
    assert "set deletion_protection to false" in error.hint


def test_a_name_is_exact_or_gets_the_nearest() -> None:
    known = ["Address::models", "Bucket::logs", "Bucket::models"]
    assert losses.allowed(["Bucket::models", "logs"], known) == {"Bucket::models", "Bucket::logs"}
    with pytest.raises(CliError) as caught:
        losses.allowed(["Bucket::model"], known)
    assert caught.value.code is Exit.USAGE
    assert caught.value.hint.startswith("did you mean `Bucket::models`?")
    with pytest.raises(CliError) as caught:
        losses.allowed(["lgos"], known)
    assert caught.value.hint.startswith("did you mean `logs`?")
    with pytest.raises(CliError, match="which one"):
        losses.allowed(["models"], known)


class Engine:
    """An engine with a state and a plan; it would fail to change anything."""

    run = Run()

    def __init__(self, *_: object) -> None:
        pass

    def exported(self, layer: Any, _: str) -> dict[str, Any]:
        return _state((BUCKET, "models"), (BUCKET, "logs")) if layer is SERVING else {}

    def steps_of_update(self, layer: Any, _: str) -> Run:
        assert layer is SERVING, "a layer without anything to lose needs no plan"
        return self.run


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> type[Engine]:
    monkeypatch.setattr(guard, "Engine", Engine)
    monkeypatch.setattr(Engine, "run", Run())
    return Engine


def test_an_update_is_refused_with_everything_that_it_would_lose(engine: type[Engine]) -> None:
    """The engine stops at the first deletion that it refuses."""
    engine.run.steps.append(_step("delete"))
    engine.run.errors.append("models: resource cannot be deleted\nbecause it is protected.")
    with pytest.raises(CliError) as caught:
        guard.check_update("prod", {}, LAYERS, (), COMMAND)
    assert "Bucket::models" in str(caught.value)
    assert "Bucket::logs" in str(caught.value)
    both = ("Bucket::models", "Bucket::logs")
    assert guard.check_update("prod", {}, LAYERS, both, COMMAND) == set(both)


def test_an_unprotected_environment_is_not_planned_twice(engine: type[Engine]) -> None:
    engine.run.steps.append(_step("delete"))
    assert guard.check_update("dev", {}, LAYERS, (), COMMAND) == frozenset()


def test_a_removal_names_all_that_it_would_lose(engine: type[Engine]) -> None:
    del engine
    with pytest.raises(CliError) as caught:
        guard.check_removal("prod", {}, LAYERS, ["logs"], COMMAND)
    assert "Bucket::models would be deleted" in str(caught.value)
    assert "Bucket::logs" not in str(caught.value)
    assert guard.check_removal("dev", {}, LAYERS, (), COMMAND) == frozenset()


@pytest.mark.parametrize(
    "said",
    [
        f'unable to replace resource "{_urn(BUCKET, "models")}"\nas it is currently marked for '
        "protection. To unprotect",
        f'resource "{_urn("gke:Files$" + BUCKET, "models")}" cannot be deleted\n'
        "because it is protected. To unprotect the resource,",
    ],
)
def test_what_the_engine_refuses_is_named_with_the_flag(said: str) -> None:
    run = Run()
    run.take({"diagnosticEvent": {"severity": "error", "message": said, "urn": ""}})
    error = failures.error(SERVING, "prod", 255, run, "")
    assert error.code is Exit.PROTECTED
    assert error.hint.endswith("--allow-replace Bucket::models")


def test_a_failure_says_what_is_done_and_how_to_go_on() -> None:
    text = remaining.hint(LAYERS, {"cluster": 1}, lambda left: [*COMMAND, *left])
    assert "done: cluster; not done: serving, networking, environment" in text
    assert text.endswith("to go on: ./platformctl up prod serving networking environment")
    assert remaining.hint((NETWORKING,), {}, lambda left: left) == ""
    assert ENVIRONMENT.name in text


LOCKED = (
    "error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to "
    "end or delete the lock file with `pulumi cancel`.\n  gs://b/.pulumi/locks/x.json: created by "
    "ada@laptop (pid 41) at 2026-01-02T03:04:05Z"
)


def test_the_holder_of_a_stack_is_named_with_the_instruction() -> None:
    error = failures.error(SERVING, "prod", 255, Run(), LOCKED)
    assert error.code is Exit.LOCKED
    assert "locked by ada on laptop (pid 41) since 2026-01-02T03:04:05Z" in str(error)
    assert "cd infra/serving && pulumi cancel --yes --stack prod" in error.hint
    assert "\n" not in str(error)


HOLD = (
    "import os, sys; from cli.guards.exclusion import held; from cli.errors import CliError\n"
    "try:\n"
    "    with held('dev', './platformctl up dev', os.environ):\n"
    "        print('runs', flush=True); sys.stdin.read()\n"
    "except CliError as error: print(error, flush=True)\n"
)


def test_of_two_at_once_one_runs_and_a_killed_one_holds_nothing(tmp_path: Path) -> None:
    environment = {**os.environ, "PULUMI_HOME": str(tmp_path)}
    first, second = (
        subprocess.Popen(
            [sys.executable, "-c", HOLD],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    )
    said = {one: one.stdout.readline() for one in (first, second) if one.stdout}
    runs = [one for one, line in said.items() if line == "runs\n"]
    assert len(runs) == 1, said.values()
    [refused] = set(said) - set(runs)
    # The first may not have written who it is when the second is refused.
    assert f"(pid {runs[0].pid})" in said[refused] or "has just begun" in said[refused]
    with pytest.raises(CliError, match=rf"\(pid {runs[0].pid}\) since .*platformctl up dev"):
        exclusion.held("dev", "", environment).__enter__()
    with exclusion.held("stage", "", environment):
        pass
    runs[0].kill()
    runs[0].wait()
    with exclusion.held("dev", "", environment):
        pass
    for one in (first, second):
        one.communicate()


def test_a_lock_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CliError, match="Not a directory"):
        exclusion.held("dev", "", {"PULUMI_HOME": str(tmp_path / "file")}).__enter__()


def test_every_exit_code_is_explained() -> None:
    assert set(MEANINGS) == set(Exit)
