"""Where the recordings are that tests replay. They are not part of the repository.

Those of Google's API are for the parity test, those of the official Google plugin for the
conformance test.
"""

from __future__ import annotations

import os
from pathlib import Path

from cli.environments import ROOT

VARIABLE = "PLATFORM_RECORDINGS"
"""Names another folder; the parity test reads the same variable."""
OFFICIAL_PLUGIN_VARIABLE = "PLATFORM_OFFICIAL_PLUGIN_RECORDINGS"


def folder() -> Path:
    """The folder of the recordings of Google's API, which may not exist."""
    given = os.environ.get(VARIABLE)
    return Path(given) if given else ROOT.parent / "shared" / "gcp-recordings"


def official_plugin_folder() -> Path:
    """The folder of the official plugin's requests, which may not exist."""
    given = os.environ.get(OFFICIAL_PLUGIN_VARIABLE)
    return Path(given) if given else ROOT.parent / "shared" / "official-provider"


def official_plugin_notice() -> str:
    """A line that says whether the conformance test runs."""
    found = len(list(official_plugin_folder().glob("*.jsonl")))
    if found:
        return f"conformance test: {found} recordings of the official plugin"
    return (
        "conformance test: skipped, no recordings of the official Google plugin in "
        f"{official_plugin_folder()} ({OFFICIAL_PLUGIN_VARIABLE} names another folder)"
    )


def notice() -> str:
    """A line that says whether the parity test runs."""
    found = len(list(folder().glob("*.http.log")))
    if found:
        return f"parity test: {found} recordings of Google's API in {folder()}"
    return (
        f"parity test: skipped, no recordings of Google's API in {folder()} "
        f"({VARIABLE} names another folder)"
    )
