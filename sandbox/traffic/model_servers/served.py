"""What a protocol's answers depend on beside the request."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Any

from sandbox.traffic.model_servers.messages import encode
from sandbox.traffic.model_servers.model_server import ModelServer


@dataclass(slots=True, kw_only=True)
class Served:
    """A model server of a pod, as its answers tell it."""

    pod: str
    namespace: str
    node: str
    zone: str
    version: str
    workload: str = ""
    server: ModelServer
    is_loaded: bool = True
    adapters: dict[str, str] = field(default_factory=dict)
    """Folders of the LoRA adapters that are loaded, by name."""

    def has(self, model: str) -> bool:
        """Whether a model of that name is served."""
        models = self.server.models
        return not models or model in models or model in self.adapters

    @property
    def model(self) -> str:
        """The name of the first model."""
        return self.server.models[0] if self.server.models else "model"

    def headers(self) -> list[tuple[str, str]]:
        """Who answers, as headers of HTTP and metadata of gRPC."""
        return [(f"x-served-by-{name}", value) for name, value in self.where().items()]

    def where(self) -> dict[str, str]:
        """Who answers, for headers and for bodies that are free."""
        return {
            "pod": self.pod,
            "workload": self.workload,
            "namespace": self.namespace,
            "version": self.version,
            "node": self.node,
            "zone": self.zone,
        }


def score(value: Any) -> float:
    """A number from 0 to 1 that depends on the value only, with four decimals."""
    return zlib.crc32(encode(value)) % 10_000 / 10_000
