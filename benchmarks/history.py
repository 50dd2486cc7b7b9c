"""The figures of the benchmarks over commits: a line of `history.jsonl` each, the oldest first.

Every benchmark takes `--keep`, which adds what it has measured as figures of the present commit.
A ratio compares a figure with a peer that was measured in the same run, or with the target, and is
below 1 where ours is better; ratios of different machines can be compared, seconds cannot.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parents[1]
FILE = Path(__file__).with_name("history.jsonl")
TARGET = "the target"


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of a benchmark, with what it is compared with."""

    figure: str
    """What was measured, in words that stay the same from commit to commit."""
    value: float
    unit: str
    peer: float | None = None
    """What it is compared with, in the same unit; None where there is nothing."""
    against: str = TARGET
    """What the peer is."""
    ratio: float | None = None
    """To the peer; that of the medians where it is not given."""


class Entry(Figure, frozen=True, kw_only=True):
    """A figure of a commit."""

    date: str
    """Of the commit, `2026-11-27`."""
    commit: str
    """Its subject: its identifier changes when it is rebased."""
    machine: str
    benchmark: str
    """The module's name."""


def parser(text: str | None) -> argparse.ArgumentParser:
    """The options of a benchmark with this docstring, `--keep` among them."""
    found = argparse.ArgumentParser(description=(text or "").partition("\n")[0])
    found.add_argument(
        "--keep", action="store_true", help="add the figures to benchmarks/history.jsonl"
    )
    return found


def keep(options: argparse.Namespace, benchmark: str, figures: Iterable[Figure]) -> None:
    """Add figures of the present commit, if `--keep` is given."""
    if not options.keep:
        return
    with FILE.open("ab") as file:
        for one in figures:
            file.write(msgspec.json.encode(entry(benchmark, one)) + b"\n")
    print(f"kept in {FILE.relative_to(ROOT)}; ./platformctl generate draws it", file=sys.stderr)


def check(options: argparse.Namespace) -> None:
    """Exit where `--keep` is given and files differ from the commit whose figures they would be."""
    if options.keep and (changed := _git("status", "--porcelain", "--", ".", f":!{_own()}")):
        raise SystemExit(f"--keep is for the figures of a commit; commit first:\n{changed}")


def entry(benchmark: str, figure: Figure) -> Entry:
    """A figure as one of the present commit."""
    date, _, subject = _git("log", "-1", "--format=%cs %s").partition(" ")
    found = msgspec.structs.asdict(figure)
    if figure.peer and figure.ratio is None:
        found["ratio"] = round(figure.value / figure.peer, 3)
    found["value"] = float(f"{figure.value:.4g}")
    return Entry(date=date, commit=subject, machine=machine(), benchmark=benchmark, **found)


def read() -> list[Entry]:
    """All entries by date. Raises `msgspec.ValidationError` for a line that is none."""
    lines = FILE.read_bytes().splitlines()
    return sorted(
        (msgspec.json.decode(line, type=Entry) for line in lines), key=lambda one: one.date
    )


def machine() -> str:
    """The machine's class: its cores and their kind."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    kind = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "")
    return f"{os.cpu_count()} cores{f', {kind}' if kind else ''}"


def _own() -> Path:
    return FILE.relative_to(ROOT)


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
