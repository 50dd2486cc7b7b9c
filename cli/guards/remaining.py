"""What is done when a run of several layers fails, what is not, and how to go on."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Iterable, Sequence

from gkeplatform.layers import Layer


def hint(
    order: Sequence[Layer], done: Collection[str], command: Callable[[list[str]], list[str]]
) -> str:
    """The lines that follow the hint of a failure; empty for a run of one layer.

    `order` is the run's; `command` makes the words of the command for a choice of layers.
    """
    if len(order) < 2:
        return ""
    left = [layer.name for layer in order if layer.name not in done]
    finished = [layer.name for layer in order if layer.name in done]
    if not left:
        return ""
    return (
        f"\ndone: {_listed(finished)}; not done: {_listed(left)}"
        f"\nto go on: {shlex.join(command(left))}"
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "nothing"
