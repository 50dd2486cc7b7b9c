"""The event log of a command, read while it is written."""

import os
import signal
import threading
import time
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
    deadline = time.monotonic() + 30
    while not all((tmp_path / name).exists() for name in ("a", "b")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.interrupt()
    for thread in threads:
        thread.join(30)
    assert found == {"a": (3, True, ""), "b": (3, True, "")}


def test_ctrl_c_while_a_result_is_awaited_ends_the_command_before_it_is_raised(
    tmp_path: Path,
) -> None:
    ended = threading.Event()

    def wait() -> None:
        process.run(
            ["/bin/sh", "-c", "exec sleep 60"],
            folder=tmp_path,
            environment=dict(os.environ),
            interactive=False,
            take=lambda _: None,
        )
        ended.set()

    def press() -> None:
        while not process._commands:
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    # Python's own, whatever an earlier test left.
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        threading.Thread(target=press, daemon=True).start()
        with pytest.raises(KeyboardInterrupt):
            side_by_side.run({"a": wait})
    finally:
        signal.signal(signal.SIGINT, former)
    assert ended.is_set()
