"""The engine's cache: an entry is complete, built once, and removed after a failure."""

import errno
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from sandbox.engine import EngineError, cache


@pytest.fixture(autouse=True)
def cache_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "gke-platform"


def _slow_make(folder: Path) -> None:
    (folder / "half").touch()
    time.sleep(0.5)
    (folder / "whole").touch()
    with Path(os.environ["XDG_CACHE_HOME"], "made").open("a") as log:
        log.write("made\n")


def _maker() -> None:
    folder = cache.entry("thing", _slow_make, lambda: None)
    assert (folder / "whole").exists()


def test_concurrent_builds_of_an_entry_build_it_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    makers = [context.Process(target=_maker) for _ in range(2)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join(60)
    assert [maker.exitcode for maker in makers] == [0, 0]
    assert (tmp_path / "made").read_text() == "made\n"


def test_a_failed_build_leaves_no_entry(cache_home: Path) -> None:
    def make(folder: Path) -> None:
        (folder / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.entry("thing", make, lambda: None)
    assert [path.name for path in cache_home.iterdir()] == ["thing.lock"]


def test_the_remains_of_a_killed_build_are_removed(cache_home: Path) -> None:
    context = multiprocessing.get_context("spawn")
    maker = context.Process(target=_maker)
    maker.start()
    deadline = time.monotonic() + 30
    while not (cache_home / ".thing.partial" / "half").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert maker.pid is not None
    os.kill(maker.pid, signal.SIGKILL)
    maker.join(10)
    assert not (cache_home / "thing").exists()

    def make(folder: Path) -> None:
        assert not list(folder.iterdir()), "the half-made folder was taken over"
        (folder / "whole").touch()

    assert (cache.entry("thing", make, lambda: None) / "whole").exists()


def test_a_full_disk_is_a_one_line_error(cache_home: Path) -> None:
    def make(folder: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(EngineError, match="no space left on the disk") as caught:
        cache.entry("thing", make, lambda: None)
    assert "XDG_CACHE_HOME" in caught.value.hint


def test_an_unwritable_cache_is_a_one_line_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(EngineError, match="Not a directory"):
        cache.entry("thing", lambda _: None, lambda: None)
