"""Checks run side by side, and tell in their order what they found."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from cli import checks

MEETS = """
import pathlib, sys, time
mine, other = map(pathlib.Path, sys.argv[1:])
mine.touch()
deadline = time.monotonic() + 60
while not other.exists():
    if time.monotonic() > deadline:
        sys.exit("the other one does not run")
    time.sleep(0.05)
print("met", other.name)
"""


def test_checks_run_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = str(tmp_path / "first"), str(tmp_path / "second")
    commands = {
        "one": ["python", "-c", MEETS, first, second],
        "two": ["python", "-c", MEETS, second, first],
    }
    out = io.StringIO()
    assert checks.failed(commands, out) == []
    assert out.getvalue() == "met second\nmet first\n"
    said = capsys.readouterr().err
    assert said.index("== one: python -c") < said.index("== two: python -c")


def test_a_check_runs_beside_others_and_is_told_when_asked(tmp_path: Path) -> None:
    first, second = str(tmp_path / "first"), str(tmp_path / "second")
    out = io.StringIO()
    with checks.running({"long": ["python", "-c", MEETS, first, second]}) as told:
        assert checks.failed({"quick": ["python", "-c", MEETS, second, first]}, out) == []
        assert told(out) == []
    assert out.getvalue() == "met first\nmet second\n"


def test_a_check_that_fails_is_named_and_the_others_run(capsys: pytest.CaptureFixture[str]) -> None:
    commands = {
        "bad": ["python", "-c", "import sys; sys.exit('it is wrong')"],
        "good": ["python", "-c", "print('it is right')"],
    }
    out = io.StringIO()
    assert checks.failed(commands, out) == ["bad"]
    assert out.getvalue() == "it is right\n"
    assert "it is wrong\n" in capsys.readouterr().err
