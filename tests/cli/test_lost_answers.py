"""Creations whose answer was lost: which they are, and that the next run settles them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cli import failures, interruption, lost_answers
from cli.errors import CliError
from cli.events import Run
from tests.cli.test_engine import _engine, _up
from tests.cli.test_settling import ID, NETWORK, PROVIDER, URN, Stack, _export, _resource

EOF_ERROR = "error reading from server: EOF"
REFUSED = "Error 409: The resource 'n' already exists, alreadyExists"


def _events(message: str, op: str = "create", status: int = 0) -> list[dict[str, Any]]:
    new = _resource(NETWORK, inputs={"name": "n"}, outputs={}, id="")
    metadata = {"op": op, "urn": URN, "type": NETWORK, "new": new}
    diagnostic = {"severity": "error", "message": f"<{{%reset%}}>{message}\n", "urn": URN}
    return [
        {"diagnosticEvent": diagnostic},
        {"resOpFailedEvent": {"metadata": metadata, "status": status, "steps": 1}},
    ]


def _run(*events: dict[str, Any]) -> Run:
    run = Run()
    for event in events:
        run.take(event)
    return run


@pytest.mark.parametrize(
    "message",
    [
        EOF_ERROR,
        'connection error: desc = "transport: Error while dialing: dial tcp 127.0.0.1:1: refused"',
        "grpc: the client connection is closing",
        'Error creating Network: Post "https://compute.googleapis.com/x": unexpected EOF',
        'Post "https://x": read tcp 10.0.0.1:1->10.0.0.2:443: read: connection reset by peer',
        'Post "https://x": context deadline exceeded (Client.Timeout exceeded while awaiting)',
        "creating main: cannot reach http://127.0.0.1:1/ (no route); is the service running?",
    ],
)
@pytest.mark.parametrize("op", ["create", "create-replacement"])
def test_a_creation_without_an_answer_may_have_happened(message: str, op: str) -> None:
    (found,) = _run(*_events(message, op)).unanswered
    assert found["urn"] == URN


@pytest.mark.parametrize(
    "events",
    [
        _events(REFUSED),
        _events("Error 400: Invalid value for field 'resource.name': 'EOF '"),
        _events(EOF_ERROR, op="update"),
        _events(EOF_ERROR, op="delete"),
        _events(EOF_ERROR, status=1),  # in part: it is in the state
    ],
)
def test_an_answer_an_update_and_a_deletion_are_not_noted(events: list[dict[str, Any]]) -> None:
    assert _run(*events).unanswered == []


def test_a_creation_without_an_answer_is_noted_and_settled() -> None:
    stack = Stack(_export())
    lost = _run(*_events(EOF_ERROR)).unanswered
    stack.state = lost_answers.noted(stack.state, lost)
    assert lost_answers.noted(stack.state, lost) == stack.state
    (found,) = stack.settle()
    assert (found["id"], found["inputs"]) == (ID, {"name": "n"})
    assert stack.state["deployment"]["pending_operations"] == []


def _script(folder: Path, events: list[dict[str, Any]]) -> str:
    """A `pulumi` whose update fails with these events, and that keeps one state."""
    (folder / "events").write_text("".join(json.dumps(event) + "\n" for event in events))
    (folder / "state.json").write_text(json.dumps(_export()))
    return (
        'case "$1 $2" in\n'
        f'"stack export") cat {folder}/state.json ;;\n'
        f'"stack import") cp "$6" {folder}/state.json ;;\n'
        f'refresh*) ;;\n*) cat {folder}/events >"$log"; exit 255 ;;\nesac'
    )


def test_the_engine_adopts_it_at_once(tmp_path: Path) -> None:
    script = _script(tmp_path, _events(EOF_ERROR))
    with pytest.raises(CliError, match="the plugin ended before it answered") as caught:
        _up(_engine(tmp_path, script))
    assert "run the same command again: it settles" in caught.value.hint
    state = json.loads((tmp_path / "state.json").read_text())
    assert state["deployment"]["resources"][-1]["id"] == ID


def test_what_exists_is_refused_with_the_command_that_adopts_it(tmp_path: Path) -> None:
    script = _script(tmp_path, _events(REFUSED))
    with pytest.raises(CliError, match="already exists") as caught:
        _up(_engine(tmp_path, script))
    assert f"$ pulumi import {NETWORK} main {ID} --provider" in caught.value.hint
    state = json.loads((tmp_path / "state.json").read_text())
    assert len(state["deployment"]["resources"]) == 1


def test_an_import_names_the_parent_and_the_provider_of_the_program() -> None:
    parent = "urn:pulumi:dev::p::gkeplatform:cluster:Network::main"
    child = _resource(NETWORK, parent=parent)
    assert interruption.import_command(child, "dev", ID) == (
        f"pulumi import {NETWORK} main {ID} --parent parent={parent} --provider provider={PROVIDER}"
        " --protect=false --generate-code=false --stack dev"
    )
    below = "urn:pulumi:dev::p::pulumi:pulumi:Stack::p-dev"
    assert "--parent" not in interruption.import_command(child | {"parent": below}, "dev", ID)
    nested = "urn:pulumi:dev::p::a:b:C$d:e:F::n"
    assert f"'parent={nested}'" in interruption.import_command(child | {"parent": nested}, "dev")


def test_a_plugin_that_ended_is_told_without_the_words_of_grpc() -> None:
    told = failures.explained(f"main: {EOF_ERROR}")
    assert told == "main: the plugin ended before it answered"
    start = "google: could not read plugin [/p/pulumi-resource-gcp]: exit status -1"
    assert failures.explained(start) == "google: the plugin ended before it answered"
    assert lost_answers.plugin_ended(start)
    report = "Detected that /p/pulumi-resource-gcp exited prematurely.\n  This is *always* a bug"
    assert failures.reasons([f"main: {EOF_ERROR}", report]) == [told]
    assert failures.reasons([report]) == [report]
