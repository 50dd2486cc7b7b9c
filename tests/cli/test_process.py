"""The event log of a command, read while it is written."""

import threading
from pathlib import Path

from cli import process


def test_a_log_that_is_emptied_is_read_from_its_beginning(tmp_path: Path) -> None:
    log = tmp_path / "events"
    log.write_text('{"preview": 1}\n{"preview": 2}\n{"pre')
    done = threading.Event()
    lines = process._lines(log, done)
    assert [next(lines), next(lines)] == ['{"preview": 1}', '{"preview": 2}']
    log.write_text('{"update": 1}\n')
    done.set()
    assert list(lines) == ['{"update": 1}']
