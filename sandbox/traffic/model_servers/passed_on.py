"""Ports of a pod in which a real program runs: connections are passed on to its Unix socket."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import cast

ENVOY = re.compile(r"(^|/)envoyproxy/envoy[:@]")
"""Images of Envoy."""


def socket_name(pod: str, port: int) -> str:
    """The abstract Unix socket of a pod's port, by the pod's uid."""
    return f"gke-platform-{pod}-{port}"


class PassedOn(asyncio.Protocol):
    """A connection before its first bytes: a transport that is made pauses no reading yet."""

    def __init__(
        self,
        port: int,
        made: Callable[[PassedOn], None],
        begun: Callable[[PassedOn, bytes], None],
        lost: Callable[[PassedOn], None],
    ) -> None:
        """`begun` takes it over with its first bytes, unless it is `lost` before."""
        self.port = port
        """The container's port."""
        self._made = made
        self._begun = begun
        self._lost = lost
        self.transport: asyncio.Transport = None  # type: ignore[assignment]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = cast("asyncio.Transport", transport)
        self._made(self)

    def data_received(self, data: bytes) -> None:
        """Hand it over."""
        self._begun(self, data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """End."""
        self._lost(self)

    def cut(self) -> None:
        """Reset the connection."""
        self.transport.abort()
