"""Headers of requests, as the command line has them."""

from __future__ import annotations

from collections.abc import Iterable

from cli.errors import CliError, Exit


def parsed(given: Iterable[str] | None) -> dict[str, str]:
    """Headers by name, from texts `Name: value`. Raises CliError for one that is none."""
    found = {}
    for one in given or ():
        name, colon, value = one.partition(":")
        if not colon or not name.strip() or "\n" in one or "\r" in one:
            raise CliError(f"`{one}` is no header", "write it as `Name: value`", Exit.USAGE)
        found[name.strip()] = value.strip()
    return found
