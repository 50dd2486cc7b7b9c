"""Finds in a component's log why it failed, as one line."""

from __future__ import annotations

import json
import re
from pathlib import Path

_TAIL = 20_000
_KLOG = re.compile(r"^([EF])\d{4} \S+ +\d+ \S+\] (.*)$")
_ERR = re.compile(r'\berr="((?:[^"\\]|\\.)*)"')
_KNOWN = (
    ("address already in use", "its port is taken"),
    ("no space left on device", "the disk is full"),
    ("permission denied", "a file may not be read or written"),
    ("exec format error", "the binary is for another machine"),
)


def find(log: Path) -> str:
    """Return the last error in a log, or else its last line."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL))
            lines = [line for line in file.read().decode(errors="replace").splitlines() if line]
    except OSError:
        return "it wrote no log"
    for line in reversed(lines):
        if found := _failure(line):
            break
    else:
        found = lines[-1].strip() if lines else "its log is empty"
    for sign, meaning in _KNOWN:
        if sign in found:
            return f"{meaning} ({_short(found)})"
    return _short(found)


def _failure(line: str) -> str | None:
    if line.startswith("{"):
        try:
            entry = json.loads(line)
        except ValueError:
            return None
        level = str(entry.get("level", "")).lower()
        if level not in ("fatal", "error", "panic"):
            return None
        return str(entry.get("error") or entry.get("err") or entry.get("msg"))
    if match := _KLOG.match(line):
        words = match.group(2)
        inner = _ERR.search(words)
        return inner.group(1).replace('\\"', '"') if inner else words
    if line.startswith(("Error: ", "error: ", "panic: ", "fatal error: ")):
        return line.split(": ", 1)[1]
    return None


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 300 else f"{line[:297]}…"
