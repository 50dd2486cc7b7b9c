"""The sandbox's own endpoint, as drills use it."""

from __future__ import annotations

import httpx

from cli.errors import CliError
from sandbox.home import Home
from sandbox.lifecycle import daemon_record


class Control:
    """A client for one project of the running sandbox."""

    def __init__(self, home: Home, project: str) -> None:
        self._home, self._project = home, project

    def set_prometheus(self, *, runs: bool) -> None:
        """Take the project's Prometheus away, or bring it back. Raises CliError."""
        # It takes some seconds to start where other work is done.
        self._put("prometheus", {"project": self._project, "runs": runs})

    def set_stock(
        self, zone: str, machine_type: str, *, exhausted: bool, provisioning: str = ""
    ) -> None:
        """Let a zone have none left of a machine type, or enough of it. Raises CliError.

        `provisioning`: only `standard`, `spot` or `flex-start` capacity; empty: all of it.
        """
        where = {"project": self._project, "zone": zone, "machineType": machine_type}
        where["provisioning"] = provisioning
        self._put("stock-out", {**where, "exhausted": exhausted})

    def _put(self, what: str, body: dict[str, object]) -> None:
        record = daemon_record(self._home) or {}
        url = f"http://127.0.0.1:{record.get('port', 0)}/sandbox/v1/{what}"
        try:
            answer = httpx.put(url, json=body, timeout=60, trust_env=False)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise CliError(
                f"the sandbox does not change its {what}: {error}",
                "./platformctl sandbox status",
            ) from None
