"""What the load balancer's caller gives: loopback ports, certificates, paths."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from sandbox.kubernetes.cluster_objects import Callout
from sandbox.traffic.dial_plan import DialPlan


class KeyPair(NamedTuple):
    """Paths of a certificate's chain and its key, both PEM."""

    chain: Path
    key: Path


def _no_certificate(_: str) -> KeyPair | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Everything that is not in the emulated state. Ports are those of 127.0.0.1."""

    folder: Path
    """Where the files of the configuration are written."""
    frontends: Mapping[str, int]
    """Port by the store's key of a forwarding rule. One without a port gets no listener."""
    dial_plan: DialPlan = field(default_factory=DialPlan)
    certificate: Callable[[str], KeyPair | None] = _no_certificate
    """The key pair of a certificate's path below its service (`projects/…`), classic or of
    Certificate Manager; None while it is not issued."""
    node_ports: Mapping[tuple[str, str, int], int] = field(default_factory=dict)
    """Port by project, instance name and port of the node."""
    storage: int | None = None
    """The port of the emulated storage."""
    cdn: int | None = None
    """The port of Cloud CDN's cache; without one, buckets are asked each time."""
    identity: int | None = None
    """The port that answers for Identity-Aware Proxy; without one, its backends refuse all."""
    pickers: Mapping[str, Callout] = field(default_factory=dict)
    """Endpoint picker by the path of the backend service that it picks for."""
    routers: Mapping[str, Callout] = field(default_factory=dict)
    """Body-based router by the path of the URL map that it is asked before."""
    access_log: Path | None = None
    """The file that gets the request logs; None writes none."""
    measurements: Path | None = None
    """The file that gets a line for each request, to count; None writes none."""
    health_log: Path | None = None
    """The file that gets changes of endpoints' health, of health checks that log."""
    admin: int | None = None
    """The port of Envoy's own administration; None turns it off."""

    @property
    def has_callouts(self) -> bool:
        """Whether a program is asked about the requests of some backend service or URL map."""
        return bool(self.pickers or self.routers)
