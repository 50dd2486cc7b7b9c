"""An emulated Google Cloud, called over HTTP as its clients call it. Not a test."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx

from sandbox.gcp.app import App, create_app

BASE = "http://127.0.0.1"
TOKEN = {"Authorization": "Bearer any"}


class Cloud:
    """A running emulator; each call is one HTTP request."""

    def __init__(self, state: Path | None = None) -> None:
        self._loop = asyncio.new_event_loop()
        self.app: App = create_app(state)
        self._loop.run_until_complete(self.app.start())
        application: Any = self.app  # httpx types scopes as mutable mappings
        transport = httpx.ASGITransport(application)
        self._client = httpx.AsyncClient(transport=transport, base_url=BASE)

    def request(
        self, verb: str, url: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        given = TOKEN if headers is None else headers
        return self._loop.run_until_complete(
            self._client.request(verb, url, json=body, headers=given)
        )

    def call(self, verb: str, url: str, body: Any = None, *, status: int = 200) -> Any:
        """The answer's JSON; the status must be the one expected."""
        answer = self.request(verb, url, body)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def compute(self, verb: str, path: str, body: Any = None, *, status: int = 200) -> Any:
        """A call of compute, below the project `p`."""
        return self.call(verb, f"/compute/v1/projects/p/{path}", body, status=status)

    def refused(self, verb: str, path: str, body: Any = None, *, status: int = 400) -> Any:
        """The one error of a call that compute must refuse."""
        error = self.compute(verb, path, body, status=status)["error"]
        assert error["code"] == status
        (item,) = error["errors"]
        assert item["message"] == error["message"]
        return item

    def close(self) -> None:
        self._loop.run_until_complete(self._client.aclose())
        self._loop.run_until_complete(self.app.stop())
        self._loop.close()
