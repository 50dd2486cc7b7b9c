"""Reads quotas, sizes of instance groups and others from the Compute API, as the user."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from typing import Any

from cli.capacity.comparison import Change, Quota
from cli.capacity.resources import POOL

_API = "https://compute.googleapis.com/compute/v1/"
_SECONDS = 15
_TOKENS = (("auth", "application-default", "print-access-token"), ("auth", "print-access-token"))


class UnreadableError(Exception):
    """Why the quotas cannot be read: one line."""


class ComputeApi:
    """A client of one project. `variables` are the environment variables of the run.

    Those of the sandbox lead to its emulated API, as they lead the provider there.
    """

    def __init__(self, variables: Mapping[str, str], project: str) -> None:
        self._base = variables.get("GOOGLE_COMPUTE_CUSTOM_ENDPOINT") or _API
        self._variables, self._project = variables, project
        self._token = ""

    def quotas(self, regions: Iterable[str]) -> dict[tuple[str, str], Quota]:
        """The quotas of regions, and of the project (`facts.quotas.GLOBAL`), by region and name.

        Raises UnreadableError.
        """
        found = {}
        for region in sorted(set(regions)):
            path = f"projects/{self._project}" + (f"/regions/{region}" if region else "")
            for one in self.read(path).get("quotas") or ():
                quota = Quota(float(one.get("limit") or 0), float(one.get("usage") or 0))
                found[region, str(one["metric"])] = quota
        return found

    def running(self, changes: Iterable[Change]) -> dict[str, int]:
        """The nodes that pools have now, by pool; one whose groups cannot be read is left out."""
        found = {}
        for change in changes:
            if change.type == POOL and change.before is not None and change.groups:
                try:
                    found[change.name] = sum(map(self._size, change.groups))
                except UnreadableError:
                    continue
        return found

    def _size(self, group: str) -> int:
        path = f"projects/{group.partition('/projects/')[2]}"
        return int(self.read(path).get("targetSize") or 0)

    def read(self, path: str) -> dict[str, Any]:
        """A resource, by its path below the API's version. Raises UnreadableError."""
        self._token = self._token or _access_token(self._variables)
        headers = {"Authorization": f"Bearer {self._token}"}
        url = f"{self._base.rstrip('/')}/{path}"
        if not url.startswith(("https://", "http://")):
            raise UnreadableError(f"GOOGLE_COMPUTE_CUSTOM_ENDPOINT is no URL: {self._base}")
        try:
            request = urllib.request.Request(url, headers=headers)  # noqa: S310 (checked above)
            with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
                found: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise UnreadableError(f"{error.code} {_reason(error.read())}") from None
        except (OSError, ValueError) as error:
            raise UnreadableError(f"the Compute API does not answer: {error}") from None
        return found


def _access_token(variables: Mapping[str, str]) -> str:
    given = variables.get("GOOGLE_OAUTH_ACCESS_TOKEN")
    if given:
        return given
    gcloud = shutil.which("gcloud", path=variables.get("PATH"))
    if gcloud is None:
        raise UnreadableError("`gcloud` is not on the PATH, which has the credentials")
    for words in _TOKENS:
        done = subprocess.run(
            [gcloud, *words],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env=dict(variables),
            check=False,
        )
        if not done.returncode and done.stdout.strip():
            return done.stdout.strip()
    lines = done.stderr.strip().splitlines() or ["no reason given"]
    raise UnreadableError(f"`gcloud {' '.join(_TOKENS[-1])}`: {lines[-1]}")


def _reason(body: bytes) -> str:
    try:
        return " ".join(str(json.loads(body)["error"]["message"]).split())
    except (ValueError, KeyError, TypeError):
        return "no reason given"
