"""The data files, read once per process and only when something is looked up.

`machine_types.json` is written by `facts.machine_types_update`. The others are kept by hand and
name their sources: `series.json` has what that list lacks, `models.json` and
`accelerator_memory.json` what the memory of a language model's server depends on, and
`gpu_devices.json` what the driver calls a GPU.
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


@cache
def models() -> dict[str, Any]:
    """Published configurations of language models, by their names on Hugging Face."""
    return _read("models.json")


@cache
def accelerator_memory() -> dict[str, Any]:
    """Memory of GPUs and TPUs."""
    return _read("accelerator_memory.json")


@cache
def gpu_devices() -> dict[str, Any]:
    """Names of GPUs' devices."""
    return _read("gpu_devices.json")


def _read(name: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((DATA / name).read_text(encoding="utf-8"))
    return data
