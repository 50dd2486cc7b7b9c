"""The event log of a command, read while it is written."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli import process
from cli.updates import side_by_side


def test_a_log_that_is_emptied_is_read_from_its_beginning(tmp_path: Path) -> None:
    log = tmp_path / "events"
    log.write_text('{"preview": 1}\n{"preview": 2}\n{"pre')
    done = threading.Event()
    lines = process._lines(log, done)
    assert [next(lines), next(lines)] == ['{"preview": 1}', '{"preview": 2}']
    log.write_text('{"update": 1}\n')
    done.set()
    assert list(lines) == ['{"update": 1}']


def test_ctrl_c_ends_the_commands_of_all_threads(tmp_path: Path) -> None:
    """Only the main thread gets it; all commands get one each."""
    script = f"trap 'exit 3' INT; touch {tmp_path}/$1; while :; do sleep 0.05; done"
    found: dict[str, tuple[int, bool, str]] = {}

    def run(name: str) -> None:
        found[name] = process.run(
            ["/bin/sh", "-c", script, "sh", name],
            folder=tmp_path,
            environment=dict(os.environ),
            interactive=False,
            take=lambda _: None,
        )

    threads = [threading.Thread(target=run, args=[name]) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 60
    while not all((tmp_path / name).exists() for name in ("a", "b")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.interrupt()
    for thread in threads:
        thread.join(30)
    assert found == {"a": (3, True, ""), "b": (3, True, "")}


def sleeping(folder: Path, ended: threading.Event) -> Callable[[], None]:
    """A function that runs a command of a minute, and says when that has ended."""

    def run() -> None:
        process.run(
            ["/bin/sh", "-c", "exec sleep 60"],
            folder=folder,
            environment=dict(os.environ),
            interactive=False,
            take=lambda _: None,
        )
        ended.set()

    return run


@contextlib.contextmanager
def pythons_own_ctrl_c() -> Iterator[None]:
    """Python's handler, whatever an earlier test left."""
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, former)


def press_once_a_command_runs() -> None:
    while not process._commands:
        time.sleep(0.02)
    os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_while_a_result_is_awaited_ends_the_command_before_it_is_raised(
    tmp_path: Path,
) -> None:
    ended = threading.Event()
    with pythons_own_ctrl_c():
        threading.Thread(target=press_once_a_command_runs, daemon=True).start()
        with pytest.raises(KeyboardInterrupt):
            side_by_side.run({"a": sleeping(tmp_path, ended)})
    assert ended.is_set()


def test_ctrl_c_before_all_have_begun_ends_the_commands_of_those_that_have(tmp_path: Path) -> None:
    ended, others = threading.Event(), threading.Event()

    class Slow(dict[str, Callable[[], None]]):
        """Functions between which Ctrl-C is pressed: once a command of the first runs."""

        def items(self) -> Iterator[tuple[str, Callable[[], None]]]:  # type: ignore[override]
            for item in super().items():
                yield item
                press_once_a_command_runs()

    with pythons_own_ctrl_c(), pytest.raises(KeyboardInterrupt):
        side_by_side.run(Slow(a=sleeping(tmp_path, ended), b=others.set))
    assert ended.is_set()
    assert not others.is_set()


def test_a_command_that_begins_just_after_ctrl_c_is_ended_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended, pressed = threading.Event(), threading.Event()
    forward = process.interrupt

    def interrupt(*, again: bool = True) -> None:
        forward(again=again)
        pressed.set()

    def late() -> None:
        assert pressed.wait(30)
        sleeping(tmp_path, ended)()

    monkeypatch.setattr(process, "interrupt", interrupt)
    with pytest.raises(ValueError, match="wrong"), side_by_side.SideBySide({"a": late}):
        raise ValueError("wrong")
    assert ended.is_set()
