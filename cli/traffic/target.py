"""Where requests of one kind are sent, and what they are: plain data, ready to be written."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field

from cli.traffic import trust
from cli.traffic.events import DONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One request of HTTP, or a gRPC call, and the address that it is sent to."""

    address: str
    """Host name or IP address to connect to."""
    port: int
    caller: str = ""
    """The address of this machine to connect from; empty for any."""
    host: str
    """The host of the URL, and the name in the TLS handshake."""
    host_port: int | None = None
    """The port of the URL; None for the scheme's own."""
    path: str
    """With the query."""
    encrypted: bool = False
    cacert: str | None = None
    """File of the certificate authority; None for those that the system trusts."""
    authorities: str = ""
    """Certificates in PEM that are trusted as well (`cli.traffic.trust`)."""
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    is_grpc: bool = False
    """Whether it is a gRPC call: the path is its method's, the body its message."""
    is_http2: bool = False
    """Whether HTTP/2 is offered in the TLS handshake, and nothing else."""

    @property
    def url(self) -> str:
        """The URL as a caller writes it."""
        return f"{'https' if self.encrypted else 'http'}://{self.authority}{self.path}"

    @property
    def authority(self) -> str:
        """The `Host` header."""
        return self.host if self.host_port is None else f"{self.host}:{self.host_port}"

    @property
    def last_event(self) -> bytes:
        """What ends an answer that is a stream of events; empty: nothing but its end."""
        path = self.path.partition("?")[0]
        return DONE if path.endswith(("/completions", "/chat/completions")) else b""

    def request(self) -> bytes:
        """The request on the wire. `ValueError` for a line break in a header."""
        lines = [f"{self.method} {self.path} HTTP/1.1", f"Host: {self.authority}"]
        given = {name.lower() for name in self.headers}
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if (self.body or self.method in {"POST", "PUT", "PATCH"}) and "content-length" not in given:
            lines.append(f"Content-Length: {len(self.body)}")
        if any("\r" in line or "\n" in line for line in lines):
            raise ValueError("a header of the request has a line break")
        return "\r\n".join([*lines, "", ""]).encode() + self.body

    def http2_headers(self) -> list[tuple[bytes, bytes]]:
        """The headers as HTTP/2 has them. `ValueError` for a line break in a header."""
        self.request()  # its checks
        pseudo = {
            ":method": self.method,
            ":scheme": "https" if self.encrypted else "http",
            ":authority": self.authority,
            ":path": self.path,
        }
        own = {name.lower(): value for name, value in self.headers.items()}
        own.pop("host", None)
        return [(name.encode(), value.encode()) for name, value in (pseudo | own).items()]

    def tls(self) -> ssl.SSLContext | None:
        """The TLS context, which verifies the certificate; None for plain HTTP.

        Raises `OSError` and `ValueError` for authorities that cannot be read.
        """
        if not self.encrypted:
            return None
        context = trust.context(self.cacert, self.authorities)
        context.set_alpn_protocols(["h2" if self.is_http2 else "http/1.1"])
        return context
