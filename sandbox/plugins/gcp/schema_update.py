"""Writes `schema.json`, the fields of every type: `python -m sandbox.plugins.gcp.schema_update`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from sandbox.plugins.gcp.schema import DATA

ROOT = Path(__file__).parents[3]


def render() -> dict[Path, str]:
    """The file and its content, for `platformctl generate`."""
    command = [sys.executable, "-m", "sandbox.plugins.gcp.sdk_reader"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise RuntimeError(f"reading the SDK failed: {reason[0]}")
    return {DATA.relative_to(ROOT): done.stdout}


if __name__ == "__main__":
    for target, content in render().items():
        (ROOT / target).write_text(content)
