"""What happens to each resource, from the engine's steps with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from cli.steps import Step

_PLUMBING = ("pulumi:pulumi:Stack", "pulumi:pulumi:StackReference")


class Operation(StrEnum):
    """An operation with a resource."""

    SAME = "same"
    READ = "read"
    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"


_OF = {
    "same": Operation.SAME,
    "refresh": Operation.SAME,
    "read": Operation.READ,
    "read-replacement": Operation.READ,
    "create": Operation.CREATE,
    "import": Operation.CREATE,
    "import-replacement": Operation.REPLACE,
    "update": Operation.UPDATE,
    "replace": Operation.REPLACE,
    "create-replacement": Operation.REPLACE,
    "delete-replaced": Operation.REPLACE,
    "delete": Operation.DELETE,
    "remove-pending-replace": Operation.DELETE,
    "discard-replaced": Operation.REPLACE,
}
_ORDER = list(Operation)


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one resource of a layer."""

    layer: str
    step: Step
    """The step that says most; of a replacement one with the reason."""
    operation: Operation
    reason: str = ""
    """Why it is replaced, where the engine's step does not say it."""

    @property
    def causes(self) -> tuple[str, ...]:
        """The property paths that force a replacement, else those that differ."""
        if self.operation is Operation.REPLACE:
            return self.step.replaces_for or self.step.differs
        return self.step.differs


def operation(step: Step) -> Operation:
    """The operation that a step is a part of; an unknown word of the engine is an update."""
    return _OF.get(step.op, Operation.UPDATE)


def changes(layer: str, steps: Iterable[Step]) -> dict[str, Change]:
    """The resources by URN, each with its gravest operation; the stack itself is not one."""
    found: dict[str, Change] = {}
    for step in steps:
        if step.type in _PLUMBING:
            continue
        new = Change(layer, step, operation(step))
        old = found.get(step.urn)
        if old is None or _weight(new) > _weight(old):
            found[step.urn] = new
    return found


def _weight(change: Change) -> tuple[int, bool]:
    return _ORDER.index(change.operation), bool(change.step.replaces_for)
