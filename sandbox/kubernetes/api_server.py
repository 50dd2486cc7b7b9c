"""Asynchronous client of one API server: requests and watches.

Objects are plain dictionaries. It has only the verbs that this package needs. The daemon has one
client per cluster.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any

import httpx
import msgspec

from sandbox.kubernetes.tls_connections import Transport

Json = dict[str, Any]
SERVER_SIDE_APPLY = "application/apply-patch+yaml"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_MERGE = "application/strategic-merge-patch+json"
_YEAR = 365 * 86_400


class ApiServerError(Exception):
    """The API server refused a request."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class ApiServer:
    """Client of one cluster's API server, with administrator rights."""

    def __init__(self, port: int, *, ca: Path, token: str, agent: str) -> None:
        self._port = port
        self._ca = ca
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(ca)
        self._http = httpx.AsyncClient(
            base_url=f"https://127.0.0.1:{port}",
            transport=Transport(context, most=64, kept_alive=16),
            trust_env=False,
            headers={"Authorization": f"Bearer {token}", "User-Agent": agent},
            timeout=httpx.Timeout(30, connect=5),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    @property
    def address(self) -> str:
        """The server's address, host:port."""
        return f"https://127.0.0.1:{self._port}"

    @property
    def ca(self) -> Path:
        """The path of the CA certificate."""
        return self._ca

    def with_token(self, token: str, *, agent: str) -> ApiServer:
        """Return a client of the same API server that authenticates with a token."""
        return ApiServer(self._port, ca=self._ca, token=token, agent=agent)

    async def token(self, namespace: str, account: str, pod: Json | None = None) -> str:
        """Request a service account token, as the kubelet does for a pod."""
        bound = pod and {
            "apiVersion": "v1",
            "kind": "Pod",
            "name": pod["metadata"]["name"],
            "uid": pod["metadata"]["uid"],
        }
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        spec: Json = {"expirationSeconds": _YEAR, **({"boundObjectRef": bound} if bound else {})}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        return str((await self.request("POST", path, body))["status"]["token"])

    async def is_ready(self) -> bool:
        """Whether /readyz answers 200."""
        try:
            return (await self._http.get("/readyz", timeout=2)).status_code == 200
        except (httpx.HTTPError, OSError):
            return False

    async def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        params: Mapping[str, str] | None = None,
        content_type: str = "application/json",
        timeout: float = 30,
    ) -> Json:
        """Send one request and return the object in the answer."""
        response = await self._http.request(
            method,
            path,
            content=None if body is None else msgspec.json.encode(body),
            params=params,
            headers=None if body is None else {"Content-Type": content_type},
            timeout=timeout,
        )
        if response.status_code >= 400:
            raise _refusal(response)
        answer: Json = msgspec.json.decode(response.content)
        return answer

    async def get(self, path: str) -> Json | None:
        """Return an object, or None if it does not exist."""
        try:
            return await self.request("GET", path)
        except ApiServerError as error:
            if error.status == 404:
                return None
            raise

    async def delete(self, path: str, **options: Any) -> bool:
        """Delete an object. Return whether it existed."""
        try:
            await self.request("DELETE", path, options or None)
        except ApiServerError as error:
            if error.status == 404:
                return False
            raise
        return True

    async def apply(self, path: str, body: Json, *, manager: str) -> Json:
        """Apply an object by server-side apply."""
        return await self.request(
            "PATCH",
            path,
            body,
            params={"fieldManager": manager, "force": "true"},
            content_type=SERVER_SIDE_APPLY,
        )

    async def apply_text(self, path: str, body: bytes, *, manager: str) -> None:
        """Apply a YAML document by server-side apply."""
        response = await self._http.request(
            "PATCH",
            path,
            content=body,
            params={"fieldManager": manager, "force": "true"},
            headers={"Content-Type": SERVER_SIDE_APPLY},
        )
        if response.status_code >= 400:
            raise _refusal(response)

    async def list(self, path: str, params: Mapping[str, str] | None = None) -> Json:
        """Return a list object with all items."""
        return await self.request("GET", path, params=params)

    async def watch(
        self, path: str, version: str, params: Mapping[str, str] | None = None
    ) -> AsyncGenerator[Json, None]:
        """Yield a list's changes since a resource version until the server ends the watch."""
        query = {
            **(params or {}),
            "watch": "true",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": "540",
        }
        quiet = httpx.Timeout(30, read=570)
        async with self._http.stream("GET", path, params=query, timeout=quiet) as response:
            if response.status_code >= 400:
                await response.aread()
                raise _refusal(response)
            rest = b""
            async for chunk in response.aiter_raw():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if line:
                        yield msgspec.json.decode(line)
                # Yield to the event loop: a long burst of events must not block the daemon.
                await asyncio.sleep(0)


def _refusal(response: httpx.Response) -> ApiServerError:
    try:
        status: Json = msgspec.json.decode(response.content)
        message = str(status.get("message") or response.text)
        return ApiServerError(response.status_code, str(status.get("reason", "")), message)
    except (msgspec.DecodeError, AttributeError):
        return ApiServerError(response.status_code, "", response.text.strip())
