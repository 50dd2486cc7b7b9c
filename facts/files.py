"""The data files, read once per process and only when something is looked up.

`machine_types.json` is written by `facts.machine_types_update`. `series.json` is kept by hand and
has what that source lacks; each series names the page it can be compared with.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"


@cache
def machine_types() -> dict[str, Any]:
    """Machine types, accelerators, zones and regions as the source of the catalog lists them."""
    return _read("machine_types.json")


@cache
def series() -> dict[str, Any]:
    """Machine series: newer types, boot disks, local SSDs, GPUs and TPUs."""
    return _read("series.json")


def _read(name: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((DATA / name).read_text(encoding="utf-8"))
    return data
