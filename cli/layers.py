"""Which layers a command runs: all, those of `--layer`, or those from `--from` on."""

from __future__ import annotations

from collections.abc import Sequence

from cli.errors import CliError, Exit, meant
from gkeplatform.layers import Layer, in_order


def selected(only: Sequence[str] | None = None, start: str | None = None) -> tuple[Layer, ...]:
    """The layers named by `only`, or `start` and those after it, or all; in deployment order.

    Raises CliError for an unknown name, with the nearest one, and for both at once.
    """
    order = in_order()
    if only and start:
        raise CliError("--layer and --from exclude each other", "leave one of them out", Exit.USAGE)
    names = [layer.name for layer in order]
    for name in (*(only or ()), *([start] if start else ())):
        _check(name, names)
    if start:
        return order[names.index(start) :]
    return tuple(layer for layer in order if not only or layer.name in only)


def table() -> str:
    """The layers in deployment order, a line each, with the layers that each needs."""
    order = in_order()
    width = max(len(layer.name) for layer in order)
    return "\n".join(f"{layer.name:<{width}}  {needs(layer)}" for layer in order)


def needs(layer: Layer) -> str:
    """The layers that a layer needs, in words."""
    return f"needs {', '.join(layer.needs) or 'nothing'}"


def _check(name: str, known: Sequence[str]) -> None:
    if name in known:
        return
    hint = f"{meant(name, known)}layers: {', '.join(known)}"
    raise CliError(f"there is no layer `{name}`", hint, Exit.USAGE)
