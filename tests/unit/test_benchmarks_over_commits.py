"""The benchmarks' figures over commits: how they are kept, and what the page says of them."""

from __future__ import annotations

import argparse
import re
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import history, page, picture
from benchmarks.history import Entry, Figure

MODULES = sorted(
    file
    for file in history.FILE.parent.glob("*.py")
    if 'if __name__ == "__main__":' in file.read_text(encoding="utf-8")
)
SVG = "{http://www.w3.org/2000/svg}"
KEEP = argparse.Namespace(keep=True)


def entry(date: str, commit: str, ratio: float, figure: str = "time of <b> & all") -> Entry:
    return Entry(
        date=date,
        commit=commit,
        machine="2 cores",
        benchmark="one",
        figure=figure,
        value=10 * ratio,
        unit="s",
        peer=10,
        ratio=ratio,
    )


ENTRIES = [
    entry("2026-11-21", "Begin", 1.5),
    entry("2026-11-22", "Hasten", 0.5),
    entry("2026-11-22", "Hasten", 0.4, "other"),
]


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one commit and no figures yet."""
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "code").write_text("1\n")
    monkeypatch.setattr(history, "ROOT", tmp_path)
    monkeypatch.setattr(history, "FILE", tmp_path / "benchmarks" / "history.jsonl")
    identity = ["-c", "user.name=test", "-c", "user.email=test@acme.example"]
    for command in (["init"], ["add", "."], [*identity, "commit", "-m", "Make it fast"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True, capture_output=True)
    return tmp_path


def test_figures_are_kept_as_those_of_the_commit(repository: Path) -> None:
    history.check(KEEP)
    history.keep(KEEP, "one", [Figure(figure="time", value=0.123456, unit="s", peer=0.5)])
    history.check(KEEP)  # its own file may differ from the commit
    history.keep(KEEP, "two", [Figure(figure="rate", value=4, unit="µs")])
    first, second = history.read()
    assert (first.commit, first.benchmark, first.machine) == (
        "Make it fast",
        "one",
        history.machine(),
    )
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", first.date)
    assert (first.value, first.ratio, first.against) == (0.1235, 0.247, "the target")
    assert (second.peer, second.ratio) == (None, None)


def test_figures_of_no_commit_are_refused_before_anything_is_measured(repository: Path) -> None:
    (repository / "code").write_text("2\n")
    with pytest.raises(SystemExit, match="commit first"):
        history.check(KEEP)
    history.check(argparse.Namespace(keep=False))


def test_without_the_option_nothing_is_kept(repository: Path) -> None:
    history.keep(argparse.Namespace(keep=False), "one", [Figure(figure="a", value=1, unit="s")])
    assert not history.FILE.exists()


@pytest.mark.parametrize("file", MODULES, ids=lambda file: file.stem)
def test_every_benchmark_can_keep_its_figures(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert "history.parser(__doc__)" in text
    assert "history.check(" in text
    assert re.search(rf'history\.keep\(\s*\w+,\s*"{file.stem}",', text)


def test_the_page_gives_the_last_ratio_of_each_figure() -> None:
    text = page.page(ENTRIES, page.of_figures(ENTRIES))
    assert "| time of <b> & all | 5 s | the target, 10 s | 0.50 | 2026-11-22 | `one` |" in text
    assert "| 1: Begin | 2026-11-21 | time of <b> & all | 15 s | the target, 10 s | 1.50 |" in text


def test_the_picture_has_a_row_a_figure_and_marks_what_is_above_one() -> None:
    rows = page.of_figures(ENTRIES)
    drawing = ElementTree.fromstring(picture.svg(page.commits(ENTRIES), rows))
    texts = ["".join(one.itertext()) for one in drawing.iter(f"{SVG}text")]
    assert {"time of <b> & all", "other", "0.50", "0.40"} <= set(texts)
    assert len(list(drawing.iter(f"{SVG}circle"))) == 2
    assert len([one for one in drawing.iter(f"{SVG}rect") if one.get("class") == "above"]) == 1


def test_what_is_kept_names_benchmarks_that_exist_and_ratios_that_fit() -> None:
    stems = {file.stem for file in MODULES}
    for one in history.read():
        assert one.benchmark in stems
        if one.peer and one.ratio is not None:
            # A ratio of neighbouring runs differs a little from that of the medians.
            assert one.ratio == pytest.approx(one.value / one.peer, rel=0.1, abs=0.01), one
