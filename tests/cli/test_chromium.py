"""Which Chromium the browser tests use, and what is said where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli import chromium


@pytest.fixture(autouse=True)
def _empty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in (chromium.VARIABLE, chromium.REQUIRED):
        monkeypatch.delenv(name, raising=False)


def program(path: Path) -> Path:
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_chromium_of_the_path_is_found_and_the_variable_comes_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = program(tmp_path / "chromium")
    assert chromium.find() == str(found)
    other = program(tmp_path / "other")
    monkeypatch.setenv(chromium.VARIABLE, str(other))
    assert chromium.find() == str(other)
    assert chromium.notice() == f"browser tests: {other}"


def test_without_one_the_tests_are_skipped_or_fail_and_say_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert chromium.find() is None
    assert "skipped" in chromium.notice()
    assert "apt-get install chromium" in chromium.notice()
    monkeypatch.setenv(chromium.REQUIRED, "1")
    assert chromium.is_required()
    assert "will fail" in chromium.notice()


def test_a_variable_that_names_nothing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(chromium.VARIABLE, "/no/such")
    assert chromium.find() is None
    assert "not found: /no/such" in chromium.notice()
