"""The page of the exit codes, generated from `cli.errors`."""

from __future__ import annotations

from pathlib import Path

from cli.errors import Exit

PAGE = Path("docs/reference/exit-codes.md")
MEANINGS = {
    Exit.OK: "The command did what it was asked to do.",
    Exit.ERROR: "Another failure; the message says which.",
    Exit.USAGE: "The command line or an environment file is wrong. Nothing was changed.",
    Exit.AUTHENTICATION: "Credentials are missing, for Google Cloud or for the backend.",
    Exit.RESOURCE: "A resource could not be created, changed, read or deleted.",
    Exit.POLICY: "A mandatory policy refuses the change.",
    Exit.NO_STACK: "The backend has no stack for a layer of the environment.",
    Exit.CHANGES: "Something differs from what is declared.",
    Exit.CANCELLED: "Cancelled with Ctrl-C, or not confirmed.",
    Exit.UNJUDGED: "Something could not be judged by policy.",
    Exit.PROTECTED: "What the environment protects would be replaced or deleted.",
    Exit.LOCKED: "Another run is changing the environment or the stack.",
    Exit.QUOTA: "The project's quotas do not suffice for the change. Nothing was changed.",
    Exit.INTERNAL: "A bug of platformctl; `PLATFORM_DEBUG=1` shows where.",
}
"""What each code tells a script."""


def render() -> dict[Path, str]:
    """The page by its path below the repository's root."""
    rows = [f"| {code.value} | {code.name} | {MEANINGS[code]} |" for code in Exit]
    head = [
        "# Exit codes of platformctl",
        "",
        "Generated from `cli/errors.py` by `./platformctl generate`. With `--json`, the name is",
        "`error.code` of the document.",
        "",
        "| code | name | meaning |",
        "| ---: | --- | --- |",
    ]
    return {PAGE: "\n".join([*head, *rows, ""])}
