"""What came of each edit, kept beside this module."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Record = dict[str, Any]
FILE = Path(__file__).with_name("results.json")


def read() -> dict[str, Record]:
    """The records by the names of the edits."""
    if not FILE.exists():
        return {}
    return {one["edit"]: one for one in json.loads(FILE.read_text(encoding="utf-8"))}


def keep(records: Iterable[Record]) -> None:
    """Write the records over those of the same edits."""
    found = read() | {one["edit"]: one for one in records}
    lines = [json.dumps(found[name], ensure_ascii=False) for name in sorted(found)]
    FILE.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
