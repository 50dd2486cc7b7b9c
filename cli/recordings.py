"""Where the recordings of Google's API are, which the parity test replays. They are not ours."""

from __future__ import annotations

import os
from pathlib import Path

from cli.environments import ROOT

VARIABLE = "PLATFORM_RECORDINGS"
"""Names another folder; the parity test reads the same variable."""


def folder() -> Path:
    """The folder of the recordings, which may not exist."""
    given = os.environ.get(VARIABLE)
    return Path(given) if given else ROOT.parent / "shared" / "gcp-recordings"


def notice() -> str:
    """A line that says whether the parity test runs."""
    found = len(list(folder().glob("*.http.log")))
    if found:
        return f"parity test: {found} recordings of Google's API in {folder()}"
    return (
        f"parity test: skipped, no recordings of Google's API in {folder()} "
        f"({VARIABLE} names another folder)"
    )
