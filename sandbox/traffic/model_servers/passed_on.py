"""Ports of a pod in which a real program runs: connections are passed on to its Unix socket."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import cast

from sandbox.traffic.model_servers.splice import Splice

ENVOY = re.compile(r"(^|/)envoyproxy/envoy[:@]")
"""Images of Envoy."""


def socket_name(pod: str, port: int) -> str:
    """The abstract Unix socket of a pod's port, by the pod's uid."""
    return f"gke-platform-{pod}-{port}"


class PassedOn(asyncio.Protocol):
    """A connection that has just been accepted."""

    def __init__(
        self, port: int, closed: Callable[[Splice], None], begun: Callable[[Splice], None]
    ) -> None:
        self._port = port
        self._closed = closed
        self._begun = begun

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Hand it over."""
        accepted = cast("asyncio.Transport", transport)
        self._begun(Splice(accepted, b"", self._port, self._closed))
