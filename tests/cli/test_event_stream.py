"""The event stream: one JSON document a line, the last with the result."""

from __future__ import annotations

import json
import sys

import pytest

from cli import console, event_stream
from cli.errors import CliError, Exit

STEP = {"op": "create", "type": "gcp:storage/bucket:Bucket", "urn": "urn:pulumi:dev::p::t::models"}


@pytest.mark.parametrize(
    ("key", "state"),
    [("resourcePreEvent", "begun"), ("resOutputsEvent", "done"), ("resOpFailedEvent", "failed")],
)
def test_a_step_is_a_line(key: str, state: str) -> None:
    line = event_stream.described("serving", {key: {"metadata": STEP}})
    assert line is not None
    assert (line["layer"], line["op"], line["name"]) == ("serving", "create", "models")
    assert line["state"] == state


@pytest.mark.parametrize(
    "event",
    [
        {"resourcePreEvent": {"metadata": {**STEP, "op": "same"}}},
        {"resourcePreEvent": {"metadata": STEP, "planning": True}},
        {"diagnosticEvent": {"message": "waits", "ephemeral": True}},
        {"preludeEvent": {}},
    ],
)
def test_what_tells_nothing_new_is_no_line(event: dict[str, object]) -> None:
    assert event_stream.described("serving", event) is None


def test_a_failure_ends_the_stream(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["platformctl", "up", "dev", "--events"])
    said = {"severity": "error", "message": "<{%reset%}>no such zone<{%reset%}>\n"}
    event_stream.emit("cluster", {"diagnosticEvent": said})
    console.failure(CliError("no", "why", Exit.LOCKED), as_json=True)
    message, end = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert message["text"] == "no such zone"
    assert (end["event"], end["ok"], end["error"]["code"]) == ("end", False, "LOCKED")


def test_without_the_flag_there_is_no_stream(capsys: pytest.CaptureFixture[str]) -> None:
    event_stream.emit("cluster", {"resourcePreEvent": {"metadata": STEP}})
    assert capsys.readouterr().out == ""
