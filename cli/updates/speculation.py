"""Runs a function of each layer ahead, side by side, on the guess that nothing changes upstream."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Generic, Self, TypeVar

from cli.updates.side_by_side import SideBySide
from gkeplatform.layers import Layer

P = TypeVar("P")
R = TypeVar("R")


class Speculation(Generic[P, R]):
    """`run(layer, upstream)`, begun for all layers as if no layer would publish anything new.

    Calling it, in the order of the layers, gives what was run ahead where that guess was right, and
    runs the function anew where it was not. The function must change nothing. A context manager.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        run: Callable[[Layer, Mapping[str, P]], R],
        *,
        is_as_deployed: Callable[[str, P], bool],
    ) -> None:
        self._run = run
        self._is_as_deployed = is_as_deployed
        self._names = {layer.name for layer in layers}
        self._ahead = SideBySide({layer.name: partial(run, layer, {}) for layer in layers})

    def __enter__(self) -> Self:
        self._ahead.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ahead.__exit__(kind, error, trace)

    def __call__(self, layer: Layer, upstream: Mapping[str, P]) -> R:
        """The function's result for a layer, with what other layers will publish."""
        guessed = all(self._is_as_deployed(name, one) for name, one in upstream.items())
        if guessed and layer.name in self._names:
            self._names.remove(layer.name)  # a second preview of a layer is made to differ
            return self._ahead.result(layer.name)
        return self._run(layer, upstream)
