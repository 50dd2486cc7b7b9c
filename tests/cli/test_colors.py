"""Colours: `--color`, NO_COLOR and FORCE_COLOR."""

from __future__ import annotations

import io

import pytest

from cli import colors, console
from cli.errors import CliError, Exit


@pytest.mark.parametrize(
    ("arguments", "rest", "noted"),
    [
        (["up", "dev", "--color", "never"], ["up", "dev"], {"NO_COLOR": "1"}),
        (["--color=always", "up", "dev"], ["up", "dev"], {"FORCE_COLOR": "1"}),
        (["up", "--color=auto", "dev"], ["up", "dev"], {}),
        (["up", "--color=never", "--color=always"], ["up"], {"FORCE_COLOR": "1"}),
        (["up", "test", "--color=never"], ["up", "test"], {"NO_COLOR": "1"}),
        (["test", "--color=yes"], ["test", "--color=yes"], {}),
        (["up", "--", "--color=never"], ["up", "--", "--color=never"], {}),
    ],
)
def test_the_flag_may_stand_anywhere(
    arguments: list[str], rest: list[str], noted: dict[str, str]
) -> None:
    variables: dict[str, str] = {}
    assert colors.choose(arguments, variables) == rest
    assert variables == noted


def test_the_flag_wins_over_the_variables() -> None:
    variables = {"NO_COLOR": "1", "FORCE_COLOR": "1"}
    colors.choose(["--color=always"], variables)
    assert variables == {"FORCE_COLOR": "1"}
    colors.choose(["--color=never"], variables)
    assert variables == {"NO_COLOR": "1"}


@pytest.mark.parametrize("arguments", [["--color"], ["--color="], ["--color", "blue"]])
def test_another_choice_is_refused_with_the_choices(arguments: list[str]) -> None:
    with pytest.raises(CliError) as raised:
        colors.choose(arguments, {})
    assert raised.value.code is Exit.USAGE
    assert "auto, always, never" in raised.value.hint


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "variables", "expected"),
    [
        (Terminal(), {"TERM": "xterm"}, True),
        (Terminal(), {"TERM": "dumb"}, False),
        (Terminal(), {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (Terminal(), {"TERM": "xterm", "NO_COLOR": ""}, True),
        (io.StringIO(), {"TERM": "xterm"}, False),
        (io.StringIO(), {"FORCE_COLOR": "1"}, True),
        (io.StringIO(), {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_a_terminal_has_colours_unless_told_otherwise(
    stream: io.StringIO,
    variables: dict[str, str],
    expected: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("TERM", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert colors.are_on(stream) is expected


def test_an_error_and_its_hint_have_colours(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    console.failure(CliError("no", "do this"), as_json=False)
    assert capsys.readouterr().err == "\x1b[1;31merror:\x1b[0m no\n\x1b[36mhint:\x1b[0m do this\n"
