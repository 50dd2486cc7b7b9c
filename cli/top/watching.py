"""Shows the figures on a terminal, again after each interval, until Ctrl-C."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from cli.errors import CliError
from cli.top import table
from cli.top.figures import Top

_WIDE = 240
"""Columns without a terminal: nothing is cut."""


def show(top: Top) -> None:
    """Print the figures once."""
    console = Console(width=None if sys.stdout.isatty() else _WIDE, soft_wrap=True)
    console.print(table.whole(top, _now()))


def watch(
    read: Callable[[], Top], interval: float, pause: Callable[[float], None] = time.sleep
) -> None:
    """Show what `read` returns; an error after the first time is shown above the last figures."""
    console = Console()
    shown: RenderableType = table.whole(read(), _now(), height=console.height)
    with Live(shown, console=console, auto_refresh=False) as display:
        while True:
            pause(interval)
            try:
                shown = table.whole(read(), _now(), height=console.height)
                display.update(shown, refresh=True)
            except CliError as error:
                said = Text(f"{_now()}  {error}; asked again in {interval:g} s", "red")
                display.update(Group(said, shown), refresh=True)


def _now() -> str:
    return f"{datetime.now(UTC):%H:%M:%S} UTC"
