"""The emulated Compute Engine API of one project, as drills change the load balancer."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import httpx

from cli.errors import CliError

Json = dict[str, Any]
_PATIENCE = 60.0


class Compute:
    """A client. Paths are relative to `projects/PROJECT/`."""

    def __init__(self, variables: Mapping[str, str], project: str) -> None:
        """`variables` are those of the running sandbox."""
        self._http = httpx.Client(
            base_url=f"{variables['GOOGLE_COMPUTE_CUSTOM_ENDPOINT']}projects/{project}/",
            headers={"Authorization": f"Bearer {variables['GOOGLE_OAUTH_ACCESS_TOKEN']}"},
            timeout=30,
            trust_env=False,
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, path: str) -> Json:
        """A resource or a list. Raises CliError."""
        return self._request("GET", path)

    def change(self, method: str, path: str, body: Json | None = None) -> None:
        """Change a global resource, and wait for the end of the operation. Raises CliError."""
        operation = self._request(method, path, body)
        until = time.monotonic() + _PATIENCE
        while operation.get("status") != "DONE":
            if time.monotonic() > until:
                raise CliError(f"{method} {path}: not done after {_PATIENCE:.0f} s")
            time.sleep(0.05)
            operation = self._request("GET", f"global/operations/{operation['name']}")
        if problem := operation.get("error"):
            raise CliError(f"{method} {path}: {problem['errors'][0]['message']}")

    def _request(self, method: str, path: str, body: Json | None = None) -> Json:
        try:
            answer = self._http.request(method, path, json=body)
            found: Json = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise CliError(f"the emulated API does not answer {path}: {error}") from None
        if answer.is_error:
            raise CliError(f"{method} {path}: {found.get('error', {}).get('message')}")
        return found
