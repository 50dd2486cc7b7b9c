"""`platformctl test`: what runs beside the tests, and what they inherit."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import pytest

from cli import checks
from cli.commands import tests
from cli.errors import CliError

PASSES, FAILS = ["python", "-c", ""], ["python", "-c", "import sys; sys.exit('it is wrong')"]


def run(monkeypatch: pytest.MonkeyPatch, *, code: dict[str, list[str]], passed: bool) -> Any:
    """Run the command without its engine; return the environment that the tests would have."""
    inherited: dict[str, str] = {}

    def passes(*_: Any) -> bool:
        inherited.update(os.environ)
        return passed

    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setattr(checks, "CODE", code)
    monkeypatch.setattr(checks, "passes", passes)
    context: Any = SimpleNamespace(args=[])
    tests.run(context, fast=True)
    return inherited


def test_the_longest_check_is_one_of_those_that_run() -> None:
    assert checks.LONGEST in checks.CODE


@pytest.mark.parametrize(
    ("ruff", "mypy", "passed", "failed"),
    [
        (PASSES, FAILS, True, "mypy"),
        (FAILS, PASSES, False, "ruff, tests"),
        (FAILS, FAILS, False, "ruff, tests, mypy"),
    ],
)
def test_every_check_counts_whether_it_ran_before_or_beside_the_tests(
    monkeypatch: pytest.MonkeyPatch, ruff: list[str], mypy: list[str], passed: bool, failed: str
) -> None:
    with pytest.raises(CliError, match=f"^failed: {failed}$"):
        run(monkeypatch, code={"ruff": ruff, "mypy": mypy}, passed=passed)


def test_the_processes_of_the_tests_keep_their_bytecode(monkeypatch: pytest.MonkeyPatch) -> None:
    inherited = run(monkeypatch, code={"mypy": PASSES}, passed=True)
    assert inherited
    assert "PYTHONDONTWRITEBYTECODE" not in inherited
