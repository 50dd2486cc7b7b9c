"""The port on which Envoy asks Identity-Aware Proxy whether a request may pass."""

from __future__ import annotations

import asyncio
from urllib.parse import unquote

from sandbox.gcp.services.compute.place import parse
from sandbox.kubernetes.controllers.connections import Connections
from sandbox.traffic.runtime.identity import Answer, Asked, IdentityAwareProxy, refusal

_LONGEST_HEAD = 1 << 16


class IdentityServer:
    """A small HTTP server on 127.0.0.1. Envoy asks with a request's head alone."""

    def __init__(self, proxy: IdentityAwareProxy) -> None:
        self._proxy = proxy
        self._server: asyncio.Server | None = None
        self._connections = Connections()

    async def start(self, port: int) -> None:
        """Listen on 127.0.0.1. Raises OSError."""
        serve = self._connections.tracked(self._serve)
        self._server = await asyncio.start_server(serve, "127.0.0.1", port, limit=_LONGEST_HEAD)

    async def close(self) -> None:
        """Stop listening, and cut what is open."""
        if self._server is not None:
            self._server.close()
        await self._connections.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await _read_head(reader):
                asked = _parse(head)
                unknown = refusal(403, "Unknown backend.")
                writer.write(_encoded(unknown if asked is None else self._proxy.decide(asked)))
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            pass  # Envoy refuses the request that it has asked for
        finally:
            writer.close()


async def _read_head(reader: asyncio.StreamReader) -> str:
    """A request's line and headers; empty at the end of the connection. Envoy sends no body."""
    try:
        return (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError as error:
        if not error.partial:
            return ""
        raise


def _parse(head: str) -> Asked | None:
    line, *lines = head.rstrip("\r\n").split("\r\n")
    method, target, _ = line.split(" ", 2)
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (one.partition(":") for one in lines)
    }
    path = target.partition("?")[0].lstrip("/")
    service = parse(path)
    if service is None or service.collection != "backendServices" or not service.name:
        return None
    rest = path.removeprefix(service.path)
    host = headers.get("host", "").rpartition(":")[0] or headers.get("host", "")
    return Asked(method, service, unquote(rest) or "/", host.lower(), headers)


def _encoded(answer: Answer) -> bytes:
    body = answer.body.encode()
    lines = [f"HTTP/1.1 {answer.status} -", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in answer.headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body
