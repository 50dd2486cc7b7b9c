"""Where each front end is reached on this machine: its address, and its port on 127.0.0.1.

A front end keeps its port over restarts, since shells and scripts name it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from sandbox.home import write_private
from sandbox.kubernetes import ports

FRONTENDS, PORTS = "frontends.json", "ports.json"
CA = "ca.pem"
"""The certificate authority that callers trust."""


class Frontend(msgspec.Struct, frozen=True, kw_only=True):
    """An address and port of the rehearsed platform, and the port of 127.0.0.1 in its place."""

    project: str
    kind: Literal["load-balancer", "service", "ingress", "node-port"]
    """`load-balancer`: a target proxy's rule, Gateways' included; `service`: a LoadBalancer
    Service's; `ingress`: NGINX's."""
    name: str
    """The forwarding rule's path, or `node/namespace/service` of a node port."""
    address: str
    port: int
    scheme: Literal["http", "https", "tcp"]
    hosts: tuple[str, ...] = ()
    """The hosts that its URL map or its Ingresses name, `*` for any, and the names that resolve
    to its address in the emulated Cloud DNS."""
    listens: int
    caller: str = ""
    """The address of this machine that callers connect from, where the usual one is refused."""


def read(traffic: Path) -> list[Frontend]:
    """The front ends that were last configured; none before the first. Raises OSError."""
    try:
        return msgspec.json.decode((traffic / FRONTENDS).read_bytes(), type=list[Frontend])
    except FileNotFoundError:
        return []


def write(traffic: Path, found: list[Frontend]) -> None:
    """Replace the file, if it differs. Raises OSError."""
    text = msgspec.json.format(msgspec.json.encode(found), indent=1).decode() + "\n"
    path = traffic / FRONTENDS
    if not path.exists() or path.read_text() != text:
        write_private(path, text)


class Ports:
    """Ports by name, each chosen once. A port that is in use by another is replaced."""

    def __init__(self, traffic: Path) -> None:
        self._file = traffic / PORTS
        self._kept = self._load()
        self._given: dict[str, int] = {}
        """Those that were given to a listener of this run."""

    def _load(self) -> dict[str, int]:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=dict[str, int])
        except (FileNotFoundError, msgspec.DecodeError):
            return {}

    def of(self, name: str) -> int:
        """The port of that name. Raises OSError where no port is free."""
        if name not in self._given:
            # Those given are not all open yet, so that a look at the port would find it free.
            others = {port for key, port in self._kept.items() if key != name}
            others |= {*self._given.values()}
            wanted = self._kept.get(name)
            self._given[name] = (
                wanted
                if wanted is not None and wanted not in others and ports.is_free(wanted)
                else ports.any_free(others)
            )
        return self._given[name]

    def replace(self, name: str) -> None:
        """Choose another port for a listener that could not have its own."""
        if taken := self._given.pop(name, None):
            # Kept under another name, so that it is not chosen again.
            self._kept[f"taken {name}"] = taken
        self._kept.pop(name, None)

    def given(self) -> Mapping[str, int]:
        """The ports of this run by name."""
        return dict(self._given)

    def save(self) -> None:
        """Write the ports, if they differ from the file's. Raises OSError."""
        kept = {k: p for k, p in self._kept.items() if not k.startswith("taken ")} | self._given
        if kept != self._load():
            write_private(self._file, msgspec.json.encode(kept).decode())
