"""The comparison with the quotas in a process of its own."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from cli.capacity import check
from cli.capacity.beside import Quotas
from cli.errors import CliError, Exit
from gkeplatform.layers import SERVING


@pytest.fixture(autouse=True)
def _changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "is_unchanged", lambda *_: False)


def quotas(*command: str) -> Quotas:
    return Quotas("dev", os.environ, [SERVING], command)


def answering(**content: Any) -> Quotas:
    document = json.dumps({"lines": [], "error": None} | content)
    return quotas(sys.executable, "-c", f"print('a program says'); print({document!r})")


def test_what_is_narrow_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    with answering(lines=["warning: quota CPUS"]) as beside:
        beside.settle()
        beside.settle()
    assert capsys.readouterr().err.count("warning: quota CPUS") == 1


def test_what_does_not_fit_is_refused() -> None:
    error = {"message": "too little", "hint": "ask for more", "code": int(Exit.QUOTA)}
    with answering(error=error) as beside, pytest.raises(CliError, match="too little") as raised:
        beside.settle()
    assert (raised.value.hint, raised.value.code) == ("ask for more", Exit.QUOTA)


def test_a_comparison_that_fails_is_one_line() -> None:
    script = "import sys; sys.exit('first\\nno such file')"
    with quotas(sys.executable, "-c", script) as beside, pytest.raises(CliError) as raised:
        beside.settle()
    assert str(raised.value) == "the comparison with the quotas failed: no such file"


def test_nothing_is_left_running_where_no_layer_is_touched(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    script = f"import pathlib, time; pathlib.Path({str(begun)!r}).touch(); time.sleep(600)"
    with quotas(sys.executable, "-c", script) as beside:
        deadline = time.monotonic() + 60
        while not begun.exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert beside._child is not None
        process = psutil.Process(beside._child.pid)
    assert not process.is_running()


def test_nothing_is_compared_where_nothing_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "is_unchanged", lambda *_: True)
    with quotas("/no/such/program") as beside:
        beside.settle()
