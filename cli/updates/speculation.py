"""Runs a function of each layer ahead, side by side, on the guess that nothing changes upstream."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TypeVar

from cli.updates.side_by_side import SideBySide
from gkeplatform.layers import Layer

P = TypeVar("P")
R = TypeVar("R")
Run = Callable[[Layer, Mapping[str, P]], R]
"""A function of a layer and of what other layers will publish. It must change nothing."""


@contextlib.contextmanager
def begun_ahead(
    layers: Sequence[Layer], run: Run[P, R], *, is_as_deployed: Callable[[str, P], bool]
) -> Iterator[Run[P, R]]:
    """Begin `run` for all layers, as if no layer would publish anything new.

    Called in the order of the layers, what this gives returns what was run ahead where that guess
    was right, and runs the function anew where it was not.
    """
    unused = {layer.name for layer in layers}

    with SideBySide({layer.name: partial(run, layer, {}) for layer in layers}) as ahead:

        def result(layer: Layer, upstream: Mapping[str, P]) -> R:
            guessed = all(is_as_deployed(name, one) for name, one in upstream.items())
            if guessed and layer.name in unused:
                unused.remove(layer.name)  # a second preview of a layer is made to differ
                return ahead.result(layer.name)
            return run(layer, upstream)

        yield result
