"""`platformctl diff`: two environments compared by meaning."""

from __future__ import annotations

import typer

from cli import arguments, console, environments
from cli.errors import Exit, usage_error
from gkeplatform.errors import PlatformError


def diff(
    source: arguments.Environment,
    target: arguments.Environment,
    json: arguments.Json = False,
) -> None:
    """Compare two environments by meaning: typed values with defaults, models by name.

    What must differ, such as project, domain and ranges, is listed apart. A secret is shown as set
    or not. Reads files only.

    Exit codes: 0 when nothing differs but what must, 7 when something does.
    """
    from cli.comparison import declaration, report  # noqa: PLC0415 (the programs' modules are slow)
    from cli.comparison.differences import differences  # noqa: PLC0415

    for name in (source, target):
        environments.checked(name)
    try:
        first, second = (declaration.read(name, environments.ROOT) for name in (source, target))
    except PlatformError as error:
        raise usage_error(error) from None
    found = differences(first, second)
    if json:
        listed = [report.document(one) for one in found]
        console.document({"source": source, "target": target, "differences": listed})
    else:
        print(report.text(found, source, target))
    if any(not one.must for one in found):
        raise typer.Exit(Exit.CHANGES)
