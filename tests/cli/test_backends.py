"""A backend that cannot be reached, or that has no such stack: one line, and nothing changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.engine import Engine
from cli.errors import CliError, Exit
from gkeplatform.layers import CLUSTER


def _previewed(engine: Engine) -> None:
    _, error = engine.plan(CLUSTER, "dev")
    if error is not None:
        raise error


COMMANDS: dict[str, Callable[[Engine], object]] = {
    "up": lambda engine: engine.up(CLUSTER, "dev", interactive=False, preview=False),
    "up on a terminal": lambda engine: engine.up(CLUSTER, "dev", interactive=True, preview=True),
    "down": lambda engine: engine.destroy(CLUSTER, "dev", interactive=False),
    "preview": _previewed,
    "drift": lambda engine: engine.drift(CLUSTER, "dev"),
    "judge": lambda engine: engine.judge(CLUSTER, "dev"),
}
# What the Pulumi CLI says of each.
FOLDER = "unable to open bucket file:///no/x?no_tmp_dir=true: stat /no/x: no such file or directory"
GOOGLE = "missing google credentials: unable to find gcp credentials: google: no default"
TOKEN = "PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions"
HTTP = 'performing HTTP request: Get "http://127.0.0.1:9/api/user": connect: connection refused'
CASES = {
    "file:///no/x": (FOLDER, Exit.ERROR, "cannot be reached"),
    "gs://bucket": (GOOGLE, Exit.AUTHENTICATION, "without credentials"),
    "https://api.example": (TOKEN, Exit.AUTHENTICATION, "without credentials"),
    "http://127.0.0.1:9": (HTTP, Exit.ERROR, "cannot be reached"),
}


def _engine(tmp_path: Path, backend: str, says: str) -> Engine:
    """An engine whose `pulumi` fails with these words, and notes its commands."""
    pulumi = tmp_path / "pulumi"
    (tmp_path / "says").write_text(f"error: {says}\n")
    pulumi.write_text(
        f'#!/bin/sh\necho "$1 $2" >>{tmp_path}/ran\ncat {tmp_path}/says >&2\nexit 255\n'
    )
    pulumi.chmod(0o755)
    own = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "PULUMI_BACKEND_URL": backend,
        "PULUMI_HOME": str(tmp_path / "home"),
    }
    return Engine({**os.environ, **own}, lambda *_: None)


@pytest.mark.parametrize("backend", CASES)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_backend_that_cannot_be_reached_is_one_line(
    command: str, backend: str, tmp_path: Path
) -> None:
    says, code, words = CASES[backend]
    with pytest.raises(CliError) as caught:
        COMMANDS[command](_engine(tmp_path, backend, says))
    assert caught.value.code is code
    assert words in str(caught.value)
    assert backend in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "Nothing was changed" in caught.value.hint


@pytest.mark.parametrize("command", ["preview", "drift", "judge"])
def test_what_changes_nothing_creates_no_stack(command: str, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    engine = _engine(tmp_path, f"file://{tmp_path}/state", "no stack named 'dev' found")
    with pytest.raises(CliError, match="there is no stack `dev`") as caught:
        COMMANDS[command](engine)
    assert caught.value.code is Exit.NO_STACK
    assert "stack init" not in (tmp_path / "ran").read_text()


def test_a_password_of_a_backend_is_not_shown(tmp_path: Path) -> None:
    engine = _engine(tmp_path, "https://ada:secret@host", "dial tcp: connection refused")
    with pytest.raises(CliError) as caught:
        COMMANDS["up"](engine)
    assert "secret" not in str(caught.value)
