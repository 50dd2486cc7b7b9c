"""What an update touches, few enough to be drawn: by layer what is lost, replaced and changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cli.impact.operations import Operation
from cli.impact.report import Impact

MOST = 8
"""Items of one layer that are drawn; the rest is a count."""
LOST = "lost"
_DONE = {
    Operation.DELETE: "deleted",
    Operation.REPLACE: "replaced",
    Operation.CREATE: "created",
    Operation.UPDATE: "changed",
}


@dataclass(frozen=True, slots=True)
class Item:
    """One box of the picture."""

    state: str
    """`lost`, `deleted`, `replaced`, `created` or `changed`."""
    text: str


@dataclass(frozen=True, slots=True)
class Touched:
    """One layer with what is touched in it."""

    layer: str
    summary: str
    items: Sequence[Item]


def touched(made: Impact) -> list[Touched]:
    """The layers in their order, with what an update does in each; the untouched ones too."""
    found = []
    for plan in made.plans:
        items = list(_items(made, plan.layer))
        if len(items) > MOST:
            rest = len(items) - MOST + 1
            items = [*items[: MOST - 1], Item(items[MOST - 1].state, f"and {rest} more")]
        found.append(Touched(plan.layer, _summary(made, plan.layer, plan.is_known), items))
    return found


def _summary(made: Impact, layer: str, is_known: bool) -> str:
    if declared := made.declared.get(layer):
        return f"not deployed: {sum(declared.values())} declared"
    if not is_known:
        return "could not be previewed"
    count = made.count(layer)
    parts = [f"{count[kind.value]} {word}" for kind, word in _DONE.items() if count[kind.value]]
    return ", ".join(parts) or "unchanged"


def _items(made: Impact, layer: str) -> Iterator[Item]:
    """What hurts first: losses, then each that goes, then the others by kind."""
    for loss in made.losses:
        if loss.layer == layer and loss.seconds != 0:
            yield Item(LOST, f"{loss.subject}: {loss.length}")
    for change in made.gone:
        if change.layer == layer:
            step = change.step
            yield Item(_DONE[change.operation], f"{step.kind} {step.name}")
    others: dict[tuple[str, str], list[str]] = {}
    for change in made.others:
        if change.layer == layer:
            key = _DONE[change.operation], change.step.kind
            others.setdefault(key, []).append(change.step.name)
    for (state, kind), names in sorted(others.items()):
        yield Item(state, f"{kind} {names[0]}" if len(names) == 1 else f"{len(names)} {kind}")
