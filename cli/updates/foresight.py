"""Finds out side by side which layers have nothing to change, while others are updated in order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Protocol, Self

from cli import console
from cli.engine import Result, Say
from cli.events import CHANGES
from cli.updates import side_by_side
from cli.updates.records import Record, Records
from cli.updates.stack_state import StackState, of_document
from cli.updates.ways import Way, contracts, ways
from gkeplatform.layers import LAYERS, Layer

Inputs = Callable[[], Mapping[str, str]]
"""The digest of what each layer's program is and reads, now (`cli.updates.inputs.digests`)."""


class Previewing(Protocol):
    """The part of `cli.engine.Engine` that is needed here. None of it changes a stack."""

    def state(self, layer: Layer, stack: str) -> object:
        """The stack's state."""

    def foresee(self, layer: Layer, stack: str) -> Result | None:
        """The result of an update that changes nothing."""

    def passes(self, layer: Layer, stack: str) -> bool:
        """Whether a preview ends well."""


Open = Callable[[Say], Previewing]
"""Makes an engine that says what it has to say by the function."""


class Foresight:
    """What is known of the layers of a deployment before each is updated.

    A context manager: its previews run meanwhile, and have ended afterwards.
    """

    def __init__(
        self,
        environment: str,
        layers: Sequence[Layer],
        *,
        looks_ahead: bool,
        previews_first: bool = False,
        engine: Open,
        inputs: Inputs,
        records: Records,
    ) -> None:
        """`previews_first`: the first layer that must be updated is previewed, too."""
        self._environment, self._engine = environment, engine
        self._inputs, self._records = inputs, records
        self._before = inputs()
        recorded = {layer.name: records.read(layer) if looks_ahead else None for layer in layers}
        # Without a record everything is updated.
        self._states = self._read() if any(recorded.values()) else {}
        self._ways = ways(layers, self._before, recorded, self._states)
        self._lines: dict[str, list[str]] = {}
        self._settled: dict[str, tuple[Layer, Record]] = {}
        self._moved = False
        """Whether an update changed outputs, or more than the settings of what exists."""
        self._published = False
        """Whether an update changed outputs."""
        self._updated: set[str] = set()
        self._passed: set[str] = set()
        """Layers that must be updated, and whose preview ended well."""
        first = self._first(layers) if previews_first else ()
        self._checked = threading.Event()
        """The first layer's preview has ended. The others wait for it: its update waits, too."""
        if not first:
            self._checked.set()
        self._previews = side_by_side.SideBySide(
            {
                **{
                    layer.name: partial(self._preview, layer)
                    for layer in layers
                    if self._ways[layer.name] is Way.PREVIEW
                },
                **{layer.name: partial(self._check, layer) for layer in first},
            }
        )

    def __enter__(self) -> Self:
        self._previews.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._previews.__exit__(kind, error, trace)
        if not self._settled or not self._before:
            return
        after = self._inputs()
        for name, (layer, record) in self._settled.items():
            # A file that was edited meanwhile may have been read before or after.
            if after.get(name) == record.inputs:
                self._records.write(layer, record)

    def unchanged(self, layer: Layer) -> Result | None:
        """The layer's result where it needs no update; None where it must be updated.

        The layers before it have been updated, or need no update.
        """
        way = self._ways[layer.name]
        state = self._states.get(layer.name)
        if way is Way.UPDATE or state is None or layer.name in self._updated:
            return None
        if way is Way.UNAFFECTED:
            if self._published:
                return None
            console.say("not affected by what has changed", layer.name)
            changes = {**dict.fromkeys(CHANGES, 0), "same": state.count}
            return Result(layer.name, 0.0, changes, state.values)
        found = self._previews.result(layer.name)
        if found is None or self._moved:
            return None
        for line in self._lines[layer.name]:
            console.say(line, layer.name)
        self._settle(layer, state)
        return found

    def wait(self, layer: Layer) -> None:
        """Wait for the end of the layer's preview, if there is one: its update comes next."""
        if self._previews.has(layer.name):
            self._previews.result(layer.name)

    def is_previewed(self, layer: Layer) -> bool:
        """Whether the preview of the layer's next update has ended well. Call `wait` first."""
        return layer.name in self._passed and layer.name not in self._updated

    def updated(self, layer: Layer, result: Result) -> None:
        """Take note of a layer's update."""
        earlier = self._states.get(layer.name)
        if not self._states:
            self._states = self._read()
        state = of_document(self._engine(_nothing).state(layer, self._environment))
        self._states = {**self._states, layer.name: state}
        self._updated.add(layer.name)
        is_same = earlier is not None and state is not None and earlier.outputs == state.outputs
        only_settings = not any(
            count for kind, count in result.changes.items() if kind not in ("same", "update")
        )
        self._published = self._published or not is_same
        self._moved = self._moved or not is_same or not only_settings
        if state is not None:
            self._settle(layer, state)

    def _settle(self, layer: Layer, state: StackState) -> None:
        inputs = self._before.get(layer.name)
        if inputs is not None:
            read = contracts(layer, self._states)
            self._settled[layer.name] = (layer, Record(inputs, state.resources, read))

    def _preview(self, layer: Layer) -> Result | None:
        lines = self._lines[layer.name] = []
        self._checked.wait()
        engine = self._engine(lambda text, _: lines.append(text))
        return engine.foresee(layer, self._environment)

    def _first(self, layers: Sequence[Layer]) -> Sequence[Layer]:
        """The first layer to be updated, if all before it are as they were; its state is known."""
        for layer in layers:
            match self._ways[layer.name]:
                case Way.UNAFFECTED:
                    continue
                case Way.UPDATE if self._states.get(layer.name) is not None:
                    return [layer]
                case _:
                    return ()
        return ()

    def _check(self, layer: Layer) -> Result | None:
        try:
            if self._engine(_nothing).passes(layer, self._environment):
                self._passed.add(layer.name)
        finally:
            self._checked.set()
        return None

    def _read(self) -> dict[str, StackState | None]:
        engine = self._engine(_nothing)
        documents = side_by_side.run(
            {layer.name: partial(engine.state, layer, self._environment) for layer in LAYERS}
        )
        return {name: of_document(document) for name, document in documents.items()}


def _nothing(_text: str, _layer: str) -> None:
    """Say nothing."""
