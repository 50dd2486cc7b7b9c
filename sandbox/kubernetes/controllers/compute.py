"""HTTP client of the compute API for the controllers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import msgspec

Json = dict[str, Any]


class ComputeError(Exception):
    """An error of the compute API. `reason` is Google's, such as resourceInUseByAnotherResource."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class Compute:
    """Client of one project. Paths are relative to `projects/<project>/`."""

    def __init__(self, api: Callable[[], str], project: str) -> None:
        self._api = api
        self.project = project
        self._http = httpx.AsyncClient(
            headers={"Authorization": "Bearer gke"}, timeout=30, trust_env=False
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def get(self, path: str) -> Json | None:
        """Return a resource, or None if it does not exist."""
        try:
            return await self.request("GET", path)
        except ComputeError as error:
            if error.status == 404:
                return None
            raise

    async def ensure(self, collection: str, body: Json) -> Json:
        """Return the resource that the body names. Inserts it if it does not exist."""
        path = f"{collection}/{body['name']}"
        found = await self.get(path)
        if found is not None:
            return found
        try:
            await self.request("POST", collection, body)
        except ComputeError as error:
            if error.status != 409:
                raise
        return await self.request("GET", path)

    async def delete(self, path: str) -> None:
        """Delete a resource. Does nothing if it does not exist."""
        try:
            await self.request("DELETE", path)
        except ComputeError as error:
            if error.status != 404:
                raise

    async def request(self, method: str, path: str, body: Json | None = None) -> Json:
        """Send one request and return the answer's document. Raises ComputeError."""
        answer = await self._http.request(
            method,
            f"{self._api()}/compute/v1/projects/{self.project}/{path}",
            content=None if body is None else msgspec.json.encode(body),
            headers=None if body is None else {"Content-Type": "application/json"},
        )
        document: Json = msgspec.json.decode(answer.content) if answer.content else {}
        if answer.status_code >= 400:
            error = document.get("error") or {}
            reasons = [e.get("reason", "") for e in error.get("errors") or []]
            reason = reasons[0] if reasons else ""
            raise ComputeError(answer.status_code, reason, str(error.get("message")))
        return document
