"""Progress of layers on a terminal, and plain lines without one."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from typing import Any

import pytest

from cli.progress import Phase, Progress
from declared import ROOT

Json = dict[str, Any]
STACK = "pulumi:pulumi:Stack"


def event(key: str, op: str, name: str, *, planning: bool = False, kind: str = "a:b:Pod") -> Json:
    metadata = {"op": op, "type": kind, "urn": f"urn::{kind}::{name}"}
    return {key: {"metadata": metadata, "planning": planning}}


def begun(op: str, name: str, **more: Any) -> Json:
    return event("resourcePreEvent", op, name, **more)


def ended(op: str, name: str, **more: Any) -> Json:
    return event("resOutputsEvent", op, name, **more)


def after(*events: Json, total: int = 0) -> Progress:
    progress = Progress("serving", total)
    for one in events:
        progress.take(one)
    return progress


def test_what_is_done_is_counted_and_what_is_in_progress_named() -> None:
    progress = after(
        begun("same", "a"), ended("same", "a"), begun("create", "b"), begun("update", "c"), total=9
    )
    assert progress.text == "serving         1 of 9  creating Pod b, updating Pod c"
    progress.take(ended("create", "b"))
    progress.take(event("resOpFailedEvent", "update", "c"))
    assert (len(progress.done), progress.doing) == (3, {})


def test_without_a_state_there_is_no_total() -> None:
    assert after(begun("create", "a")).text.split()[:2] == ["serving", "0"]


def test_many_in_progress_are_counted() -> None:
    text = after(*(begun("create", name) for name in "abcde")).text
    assert text.endswith("creating Pod c and 2 more")


def test_the_stack_itself_is_no_resource() -> None:
    assert after(begun("create", "s", kind=STACK), ended("create", "s", kind=STACK)).done == set()


def test_the_total_of_an_update_is_that_of_its_plan() -> None:
    plan = [one(op, name, planning=True) for op, name in (("create", "a"), ("same", "b"))
            for one in (begun, ended)]  # fmt: skip
    progress = after(*plan)
    assert (progress.phase, len(progress.done)) == (Phase.PLAN, 2)
    progress.take(begun("create", "a"))
    assert progress.text == "serving         0 of 2  creating Pod a"


def test_a_refresh_is_counted_apart() -> None:
    progress = after(begun("refresh", "a"), ended("refresh", "a"), total=2)
    assert progress.text.split()[1:4] == ["1", "of", "2"]
    progress.take(ended("same", "b", planning=True))
    assert progress.done == {"urn::a:b:Pod::b"}


SHOWING = """
import sys
from cli import console
from cli.progress import BOARD
with BOARD.shows("cluster", lambda: 9) as shown, BOARD.shows("serving", lambda: 0) as other:
    if shown:
        shown.take({"resourcePreEvent": {"metadata": {"op": "create", "type": "a:b:Pod",
                                                     "urn": "u::t::one"}}})
    console.say("warning: a line meanwhile", "")
    print("{}")
    sys.stdin.read()
"""


def shown(*texts: str, **variables: str) -> tuple[str, str]:
    """What a program writes on a terminal as stderr, and on a pipe as stdout.

    It goes on until it has written the texts.
    """
    ours, theirs = pty.openpty()
    unset = ("CI", "NO_COLOR", "FORCE_COLOR")
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    process = subprocess.Popen(
        [sys.executable, "-c", SHOWING],
        cwd=ROOT,
        env={**environment, "TERM": "xterm", "COLUMNS": "100", **variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=theirs,
    )
    os.close(theirs)
    text = b""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if not select.select([ours], [], [], 1)[0]:
            continue
        try:
            part = os.read(ours, 65536)
        except OSError:  # Linux answers EIO at the end
            break
        if not part:
            break
        text += part
        if process.stdin and all(one.encode() in text for one in texts):
            process.stdin.close()
            process.stdin = None
    os.close(ours)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return text.decode(), out.decode()


def test_a_terminal_has_a_line_a_layer_that_is_rewritten() -> None:
    cursor_up = "\x1b[1A"
    text, out = shown("creating Pod one", "serving", cursor_up, "a line meanwhile")
    assert "creating Pod one" in text
    assert "serving" in text
    assert cursor_up in text
    assert "a line meanwhile" in text
    assert "\x1b[33mwarning:" in text
    assert out == "{}\n"


def test_no_color_leaves_the_lines_and_takes_the_colours() -> None:
    text, _ = shown("creating Pod one", "a line meanwhile", NO_COLOR="1")
    assert "creating Pod one" in text
    assert "\x1b[33m" not in text
    assert "warning: a line meanwhile" in text


@pytest.mark.parametrize("variables", [{"CI": "true"}, {"TERM": "dumb"}])
def test_ci_and_a_dumb_terminal_have_plain_lines(variables: dict[str, str]) -> None:
    text, _ = shown("a line meanwhile", **variables)
    assert "creating" not in text
    assert "\x1b[1A" not in text
    assert "a line meanwhile" in text
