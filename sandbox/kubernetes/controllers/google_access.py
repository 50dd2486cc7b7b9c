"""A pod's way to Google: GKE's metadata server, and a proxy that leads to the emulated APIs.

A process that runs in a pod's place calls `https://monitoring.googleapis.com`. The proxy answers
for that name with a certificate of its own authority, which the process must trust.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from sandbox.kubernetes.controllers import certificates, http_messages
from sandbox.kubernetes.controllers.connections import Connections
from sandbox.kubernetes.controllers.http_messages import Message

HOSTS = ("monitoring.googleapis.com",)
_FLAVOR = {"Metadata-Flavor": "Google"}
_METADATA = "/computeMetadata/v1/"
_LIFETIME = 300


class GoogleAccess:
    """The metadata server and the proxy of one Kubernetes service account, on one port."""

    def __init__(
        self, api: Callable[[], str], *, project: str, folder: Path, account: Callable[[], str]
    ) -> None:
        """`account` returns `<namespace>/<Kubernetes account>|<Google account>`."""
        self._api = api
        self._project = project
        self._account = account
        self.authorities = folder
        """Folder of the certificate authority, `ca.crt`."""
        self._listener: asyncio.Server | None = None
        self._connections = Connections()
        self._http = httpx.AsyncClient(trust_env=False, timeout=30)
        self._tls: ssl.SSLContext | None = None

    async def start(self) -> int:
        """Start both and return their port."""
        self._tls = await asyncio.to_thread(certificates.server_context, self.authorities, HOSTS)
        serve = self._connections.tracked(self._serve_connection)
        self._listener = await asyncio.start_server(serve, "127.0.0.1", 0)
        return int(self._listener.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop both."""
        if self._listener is not None:
            self._listener.close()
        await self._connections.close()
        await self._http.aclose()

    async def _serve_connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, ValueError):
                host = ""
                while True:
                    asked = await http_messages.read(reader)
                    if asked.method != "CONNECT":
                        await self._answer(asked, host, writer)
                        continue
                    host = asked.target.partition(":")[0]
                    if host not in HOSTS or self._tls is None:
                        reason = f"the sandbox does not emulate {host}".encode()
                        await http_messages.write(writer, 502, reason, content_type="text/plain")
                        return
                    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    await writer.drain()
                    await writer.start_tls(self._tls)
        finally:
            writer.close()

    async def _answer(self, asked: Message, host: str, writer: asyncio.StreamWriter) -> None:
        if not host:
            status, body = await self._metadata(urlsplit(asked.target).path)
            await http_messages.write(writer, status, body, headers=_FLAVOR)
            return
        headers = {
            name: value
            for name, value in asked.headers.items()
            if name in {"authorization", "content-type", "user-agent"}
        }
        try:
            answer = await self._http.request(
                asked.method,
                f"{self._api()}{asked.target}",
                headers={**headers, "host": host},
                content=asked.body,
            )
        except httpx.HTTPError as error:
            await http_messages.write(writer, 503, str(error).encode(), content_type="text/plain")
            return
        await http_messages.write(
            writer,
            answer.status_code,
            answer.content,
            content_type=answer.headers.get("content-type", "application/json"),
        )

    async def _metadata(self, path: str) -> tuple[int, bytes]:
        """The parts of GKE's metadata server that Google's client libraries read."""
        match path.removeprefix(_METADATA):
            case "project/project-id":
                return 200, self._project.encode()
            case "instance/service-accounts/default/token":
                return await self._token()
            case "instance/service-accounts/default/email":
                return 200, self._account().partition("|")[2].encode()
        return 404, b"not found"

    async def _token(self) -> tuple[int, bytes]:
        """A token of the Google account, if workload identity allows it."""
        kubernetes, _, google = self._account().partition("|")
        asked = {
            "member": f"serviceAccount:{self._project}.svc.id.goog[{kubernetes}]",
            "serviceAccount": google,
        }
        try:
            answer = await self._http.post(f"{self._api()}/sandbox/v1/tokens", json=asked)
        except httpx.HTTPError as error:
            return 503, str(error).encode()
        if answer.status_code != 200:
            return answer.status_code, answer.content
        token = {"expires_in": _LIFETIME, "token_type": "Bearer", **answer.json()}
        return 200, json.dumps(token).encode()
