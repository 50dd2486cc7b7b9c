"""HTTP to one API server: a connection pool without knowledge of Kubernetes.

`http.client` and not httpx, which alone costs 0.17 s to import, at every start of the plugin.
"""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from sandbox.plugins.kubernetes.kubeconfig import Cluster

_SECONDS_TO_CONNECT = 10
_SECONDS_TO_ANSWER = 60


class NoAnswer(Exception):  # noqa: N818 (a state of the network, not of the program)
    """No response. `refused`: no server listened, so nothing was sent."""

    def __init__(self, reason: str, *, refused: bool) -> None:
        super().__init__(reason)
        self.refused = refused


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete response."""

    status: int
    body: bytes
    warnings: tuple[str, ...]
    retry_after: float


class Transport:
    """Connections to one server, for any number of threads; each is used by one at a time."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        parts = urlsplit(cluster.server)
        self._is_tls = parts.scheme != "http"
        self._host = parts.hostname or "localhost"
        self._port = parts.port or (443 if self._is_tls else 80)
        self._prefix = parts.path.rstrip("/")
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()

    def send(
        self, method: str, path: str, query: Mapping[str, str], body: bytes | None,
        headers: Mapping[str, str],
    ) -> Answer:  # fmt: skip
        """One request. Raises NoAnswer.

        A kept connection may have been closed by the server since; then a new one is tried.
        """
        target = self._prefix + path + (f"?{urlencode(query)}" if query else "")
        connection = self._kept()
        if connection is not None:
            try:
                return self._exchange(connection, method, target, body, headers)
            except (http.client.HTTPException, OSError) as error:
                connection.close()
                if isinstance(error, TimeoutError):
                    raise NoAnswer(_said(error), refused=False) from None
        connection = self._new()
        try:
            connection.connect()
        except OSError as error:
            connection.close()
            raise NoAnswer(_said(error), refused=True) from None
        try:
            return self._exchange(connection, method, target, body, headers)
        except (http.client.HTTPException, OSError) as error:
            connection.close()
            raise NoAnswer(_said(error), refused=False) from None

    def close(self) -> None:
        """Close idle connections."""
        while connection := self._kept():
            connection.close()

    def _exchange(
        self, connection: Any, method: str, target: str, body: bytes | None,
        headers: Mapping[str, str],
    ) -> Answer:  # fmt: skip
        connection.request(method, target, body, headers)
        response = connection.getresponse()
        content = response.read()
        if response.will_close:
            connection.close()
        else:
            with self._lock:
                self._idle.append(connection)
        warnings = tuple(_warning(text) for text in response.headers.get_all("Warning") or [])
        seconds = response.headers.get("Retry-After", "")
        return Answer(
            response.status, content, warnings, float(seconds) if seconds.isdigit() else 0.0
        )

    def _kept(self) -> http.client.HTTPConnection | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _new(self) -> http.client.HTTPConnection:
        if not self._is_tls:
            return _Plain(self._host, self._port, timeout=_SECONDS_TO_ANSWER)
        trust = self._cluster.trust
        return _Secured(
            self._host,
            self._port,
            timeout=_SECONDS_TO_ANSWER,
            context=trust,
            server_name=self._cluster.server_name or self._host,
        )


class _Plain(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = _connected(self.host, self.port)


class _Secured(http.client.HTTPSConnection):
    """A TLS context; the certificate may name another host than the address."""

    def __init__(self, host: str, port: int, *, server_name: str, **options: Any) -> None:
        super().__init__(host, port, **options)
        self._trust = options["context"]
        self._server_name = server_name

    def connect(self) -> None:
        plain = _connected(self.host, self.port)
        try:
            self.sock = self._trust.wrap_socket(plain, server_hostname=self._server_name)
        except BaseException:
            plain.close()
            raise


def _connected(host: str, port: int) -> socket.socket:
    made = socket.create_connection((host, port), timeout=_SECONDS_TO_CONNECT)
    # Headers and body are two writes; without this Nagle's algorithm delays the second.
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    made.settimeout(_SECONDS_TO_ANSWER)
    return made


def _warning(header: str) -> str:
    """`299 - "text"` → text."""
    return header.partition('"')[2].rpartition('"')[0].replace('\\"', '"') or header


def _said(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return " ".join(str(error).split()) or type(error).__name__
