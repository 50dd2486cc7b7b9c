"""What a drill is: one thing that is done to an environment, and taken back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cli.drills.scene import Scene


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """One drill. Its three steps share what the first returns, such as the name of a node."""

    name: str
    summary: str
    real: str
    """What does the same to an environment in the account."""
    prepare: Callable[[Scene], Any]
    """Chooses what is acted on, and makes the state that the drill begins with; not under load."""
    act: Callable[[Scene, Any], None]
    """Does it, and waits until the environment has settled."""
    restore: Callable[[Scene, Any], None]
    """Takes it back; called even if `act` has failed or was interrupted."""
    may_lose: bool = False
    """Whether requests may be lost: nobody was told before, and those under way are cut."""
    may_break_budget: bool = False
    """Whether the disruption budget may be broken: it binds evictions only."""
    needs_canary: bool = False
    needs_keda: bool = False
    """Whether it is for models that scale on metrics, which KEDA does."""
    needs_https: bool = False
    """Whether it is for models behind the load balancer that are called by HTTPS; each request then
    has a connection of its own, so that handshakes are counted."""

    moves: bool = False
    """Whether it is for models on an Ingress or the Gateway: they can be reached by both."""


def nothing(scene: Scene, found: Any = None) -> None:
    """A step without anything to do."""
    del scene, found
