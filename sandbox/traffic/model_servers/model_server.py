"""What a container serves: its models, its ports, and how it loads and stops."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Role = Literal["http", "grpc", "metrics", "any", "passed-on"]
"""What a port speaks. `any`: HTTP/1.1 and gRPC, as the first bytes have it. `passed-on`: what a
real program of the pod speaks."""
Signal = Literal["ignore", "drain", "finish", "exit"]
"""What SIGTERM does. `ignore`: nothing, so that the grace period ends in a kill. `drain`: no new
connections, idle ones are closed, what is under way is finished. `finish`: no new connections,
those that exist go on. `exit`: the process ends, and what is under way is cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelServer:
    """What a container serves."""

    kind: str
    container: str
    image: str
    models: tuple[str, ...]
    """The names of its models; empty: any name is served."""
    ports: Mapping[int, Role]
    metrics_path: str | None
    """The URL path of its metrics; None: it has none."""
    on_sigterm: Signal
    shutdown_seconds: float | None = None
    """How long it finishes what is under way; None: as long as the grace period lasts."""
    listens_while_loading: bool = False
    """Whether its ports take connections before its model is loaded."""
    alive_paths: frozenset[str] = field(default_factory=frozenset)
    """URL paths that answer 200 while it loads."""
    has_grpc_health: bool = False
    is_sidecar: bool = False
    """Whether it is a restartable init container, which stops after the others."""
    model_version: str = "1"
    words: tuple[str, ...] = ()
    """The command line that it was started with."""
    longest: int | None = None
    """Tokens of a prompt and its answer at most, of a language model; None: the model's own."""
    adapters: Mapping[str, str] = field(default_factory=dict)
    """Folders of the LoRA adapters that it loads at its start, by name."""
    max_loras: int = 0
    """LoRA adapters that fit into a batch; 0: it takes none."""
    memory_share: float = 0.0
    """The share of a GPU's memory that it takes at its start; 0: not known."""
    includes_usage: bool = False
    """Whether each stream ends with the tokens that were used, asked or not."""
    updates_adapters: Literal["", "pod", "anyone"] = ""
    """Who may load and unload adapters while it runs; empty: nobody."""
