"""Which Chromium the browser tests use. It is the machine's: none is downloaded."""

from __future__ import annotations

import os
import shutil

VARIABLE = "PLATFORM_CHROMIUM"
"""Names a Chromium, or Chrome, that is not on the PATH."""
REQUIRED = "PLATFORM_BROWSER_REQUIRED"
"""Not empty: the browser tests fail without Chromium, where they would be skipped."""
INSTALL = "apt-get install chromium fonts-dejavu-core"
_NAMES = ("chromium", "chromium-browser", "google-chrome")


def find() -> str | None:
    """The browser's path; None if there is none."""
    if given := os.environ.get(VARIABLE):
        return shutil.which(given)
    return next(filter(None, map(shutil.which, _NAMES)), None)


def is_required() -> bool:
    """Whether tests that need a browser fail without one."""
    return bool(os.environ.get(REQUIRED))


def notice() -> str:
    """A line that says whether the browser tests run."""
    if found := find():
        return f"browser tests: {found}"
    verb = "will fail" if is_required() else "skipped"
    missing = os.environ.get(VARIABLE) or " and ".join(_NAMES)
    return f"browser tests: {verb}, not found: {missing} (Debian: {INSTALL}; or set {VARIABLE})"
