"""Memory of one GPU or TPU chip, by the names that GKE uses. Sources: the data file."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from facts.files import accelerator_memory

GIB = 2**30

_PARTITION = re.compile(r"\d+g\.(\d+)gb")


@dataclass(frozen=True, slots=True)
class AcceleratorMemory:
    """Bytes. What programs see depends on the driver, so there are two bounds."""

    visible: int
    """The least that programs have been seen to have."""
    total: int
    """What the hardware reports; programs never have more."""


def memory_of(accelerator: str) -> AcceleratorMemory | None:
    """The memory of one GPU or TPU chip of a type; None where it is not known."""
    facts = accelerator_memory()
    bounds = facts["gpus"].get(accelerator) or facts["tpus"].get(accelerator)
    return AcceleratorMemory(*(int(gib * GIB) for gib in bounds)) if bounds else None


def partition_memory(size: str) -> int | None:
    """An upper bound in bytes of a MIG partition's memory (`1g.5gb`); None for another text.

    The size in the name is rounded up: a `1g.5gb` has 4.75 GiB.
    """
    match = _PARTITION.fullmatch(size)
    return int(match[1]) * GIB if match else None


def is_tpu(accelerator: str) -> bool:
    """Whether it is a type of TPU whose memory is known."""
    return accelerator in accelerator_memory()["tpus"]


def known() -> Iterable[str]:
    """The types whose memory is known."""
    facts = accelerator_memory()
    return (*facts["gpus"], *facts["tpus"])
