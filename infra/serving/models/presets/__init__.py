"""Presets of model servers, as data: a module each. A new model server is a module and an entry.

Sources of the figures: docs/guides/adding-a-model.md.
"""

from collections.abc import Mapping

from infra.serving.models.pins import Pin
from infra.serving.models.presets.kserve_v2 import KSERVE_V2
from infra.serving.models.presets.preset import (
    CACHE,
    DIRECT,
    DOWNLOAD,
    FUSE,
    GRPC_HEALTH,
    IMAGE,
    STREAMER,
    TEXT_ROUTES,
    Metrics,
    Preset,
)
from infra.serving.models.presets.tensorflow_serving import TENSORFLOW_SERVING
from infra.serving.models.presets.triton import TRITON
from infra.serving.models.presets.vllm import VLLM

__all__ = [
    "CACHE",
    "CUSTOM",
    "DIRECT",
    "DOWNLOAD",
    "FUSE",
    "GRPC_HEALTH",
    "IMAGE",
    "PINS",
    "PRESETS",
    "REMOVED",
    "SERVERS",
    "STREAMER",
    "TEXT_ROUTES",
    "Metrics",
    "Preset",
]

PRESETS: Mapping[str, Preset] = {
    "tensorflow-serving": TENSORFLOW_SERVING,
    "triton": TRITON,
    "vllm": VLLM,
    "kserve-v2": KSERVE_V2,
}

PINS: Mapping[str, Pin] = {
    f"preset {name}": preset.pin for name, preset in PRESETS.items() if preset.pin
}
"""The image of each preset."""

REMOVED = {
    "torchserve": "its makers no longer maintain it; run it with server: custom, as "
    "CHANGELOG.md shows",
}
"""Presets of former releases, and what to do instead."""

CUSTOM = "custom"
"""The server of an entry that describes it under the key `custom`."""
SERVERS = (*PRESETS, CUSTOM)
