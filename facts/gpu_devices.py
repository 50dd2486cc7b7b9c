"""What the driver calls the device of a GPU type. Sources: the data file."""

from collections.abc import Mapping
from dataclasses import dataclass

from facts.accelerator_memory import memory_of
from facts.files import gpu_devices

MIB = 2**20


@dataclass(frozen=True, slots=True)
class Device:
    """A GPU as programs in a container see it."""

    name: str
    """`NVIDIA A100-SXM4-40GB`."""
    product: str
    """The part of the name by which it is recognized: `A100`."""
    mebibytes: int
    """Its memory, as nvidia-smi tells it."""


def device_of(accelerator: str) -> Device | None:
    """The device of a GPU type, by GKE's name for the type; None where it is not known."""
    named, memory = gpu_devices()["devices"].get(accelerator), memory_of(accelerator)
    if not named or not memory:
        return None
    name, product = named
    return Device(name, product, memory.total // MIB)


def devices() -> Mapping[str, Device]:
    """All that are known, by GKE's name for the type."""
    found = {name: device_of(name) for name in gpu_devices()["devices"]}
    return {name: device for name, device in found.items() if device}
