"""Compares what a preview predicted with what an update then did, resource by resource."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cli.impact.operations import Operation, changes
from cli.steps import Step

GRAVE = (Operation.REPLACE, Operation.DELETE)
_NONE = Operation.SAME


@dataclass(frozen=True, slots=True)
class Difference:
    """A resource with which an update did something else than was predicted."""

    layer: str
    urn: str
    predicted: Operation
    performed: Operation

    @property
    def is_grave(self) -> bool:
        """Whether a replacement or deletion was not predicted."""
        return self.performed in GRAVE and self.predicted is not self.performed

    def __str__(self) -> str:
        name = self.urn.rpartition("::")[2]
        kind = self.urn.split("::")[-2].rpartition(":")[2]
        return f"{self.layer}: {kind} {name}: predicted {self.predicted}, was {self.performed}"


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How far predictions were true."""

    resources: int
    differences: tuple[Difference, ...]

    @property
    def share(self) -> float:
        """The share of resources whose operation was the predicted one, from 0 to 1."""
        return 1 - len(self.differences) / self.resources if self.resources else 1.0

    @property
    def grave(self) -> tuple[Difference, ...]:
        """The replacements and deletions that were not predicted."""
        return tuple(one for one in self.differences if one.is_grave)


def compare(
    predicted: Mapping[str, Iterable[Step]], performed: Mapping[str, Iterable[Step]]
) -> Accuracy:
    """Compare the steps of a preview and of the update after it, each by layer.

    The steps of several runs of one layer are joined. A resource that only one of the two names is
    unchanged in the other. Providers and components count; the stack does not.
    """
    resources = 0
    differences = []
    for layer in dict.fromkeys((*predicted, *performed)):
        before = changes(layer, predicted.get(layer, ()))
        after = changes(layer, performed.get(layer, ()))
        urns = dict.fromkeys((*before, *after))
        resources += len(urns)
        for urn in urns:
            said = before[urn].operation if urn in before else _NONE
            done = after[urn].operation if urn in after else _NONE
            if said is not done:
                differences.append(Difference(layer, urn, said, done))
    return Accuracy(resources, tuple(differences))
