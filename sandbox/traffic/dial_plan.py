"""Where a pod's port is really reached.

Pods have addresses of their cluster's ranges, which nobody can dial. The model servers listen on a
loopback address instead, with a port of its own for each pod and container port, and write which
to the dial plan. This is the only translation: whoever dials a pod looks here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from sandbox.home import write_private


class Listener(msgspec.Struct, frozen=True, kw_only=True):
    """A port of a pod, and the loopback port that answers for it."""

    project: str
    cluster: str
    """`project.location.name`, as the folders of the control planes are called."""
    namespace: str
    pod: str
    node: str
    zone: str
    address: str
    """The pod's address in the cluster, such as `10.64.1.7`."""
    port: int
    """The container's port."""
    listens: int
    """The port on 127.0.0.1."""


class DialPlan:
    """Loopback ports by project, pod address and port."""

    def __init__(self, listeners: Iterable[Listener] = ()) -> None:
        self.listeners = tuple(listeners)
        self._ports: Mapping[tuple[str, str, int], int] = {
            (one.project, one.address, one.port): one.listens for one in self.listeners
        }
        self._pods = {(one.project, one.address) for one in self.listeners}

    def port(self, project: str, address: str, port: int) -> int | None:
        """The port on 127.0.0.1 that answers for a pod's port; None where nobody listens."""
        return self._ports.get((project, address, port))

    def has_begun(self, project: str, address: str) -> bool:
        """Whether a pod has a server, or had one that crashed, on whatever port."""
        return (project, address) in self._pods

    @classmethod
    def read(cls, path: Path) -> DialPlan:
        """The plan in a file; an empty one where there is none yet. Raises OSError."""
        try:
            return cls(msgspec.json.decode(path.read_bytes(), type=list[Listener]))
        except FileNotFoundError:
            return cls()

    def write(self, path: Path) -> None:
        """Replace the file at once, so that a reader never sees half of it. Raises OSError."""
        write_private(path, msgspec.json.encode(self.listeners).decode())
