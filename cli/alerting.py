"""Which alerts fire: of a rehearsed environment, or of the account by Cloud Monitoring."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from cli.environments import ROOT
from cli.errors import CliError, Exit
from gkeplatform import stack_values
from sandbox import lifecycle

FIRING, QUIET, UNKNOWN = "firing", "quiet", "unknown"
MONITORING = "https://monitoring.googleapis.com/v3"
_TOKEN = ("auth", "print-access-token")
_SECONDS = 30


class UnavailableError(CliError):
    """It answers with 503: it starts, or cannot answer for a while."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """The state of one alert policy."""

    name: str
    """Its display name."""
    severity: str
    state: str
    """firing, quiet, or unknown where the sandbox cannot evaluate it."""
    detail: str
    """What was measured by its conditions, or why nothing was."""


def project(environment: str) -> str:
    """The Google Cloud project of an environment's stack file. Raises CliError."""
    found = stack_values.read(environment, root=ROOT).get("gcp:project")
    if not found:
        raise CliError(f"stacks/Pulumi.{environment}.yaml: gcp:project is missing", "", Exit.USAGE)
    return str(found)


def rehearsed(project_id: str) -> list[Alert]:
    """The policies of the running sandbox, evaluated on what its load balancer served.

    Raises CliError.
    """
    port = record(lifecycle.Home.default())["port"]
    url = f"http://127.0.0.1:{port}/sandbox/v1/alerts/{project_id}"
    return [_evaluated(one) for one in ask(url, {})["alerts"]]


def record(home: lifecycle.Home) -> dict[str, Any]:
    """The record of the running sandbox: `port`. Raises CliError where none runs."""
    found = lifecycle.daemon_record(home)
    if found is None:
        raise CliError(
            f"the sandbox in {home.path} is not running",
            "./platformctl rehearse ENV; or --real for the environment in the account",
        )
    return found


def real(project_id: str) -> list[Alert]:
    """The alerts of a project that are open in Cloud Monitoring. Raises CliError."""
    headers = {"Authorization": f"Bearer {access_token()}"}
    query: dict[str, str] = {"filter": 'state="OPEN"'}
    found: list[Alert] = []
    while True:
        url = f"{MONITORING}/projects/{project_id}/alerts?{urllib.parse.urlencode(query)}"
        answer = ask(url, headers)
        found += [_open(one) for one in answer.get("alerts") or []]
        if not answer.get("nextPageToken"):
            return found
        query["pageToken"] = answer["nextPageToken"]


def _evaluated(policy: dict[str, Any]) -> Alert:
    said = []
    for condition in policy["conditions"]:
        values = ", ".join(f"{one['value']:.3g}" for one in condition.get("values") or [])
        said.append(f"{condition['displayName']}: {condition.get('reason') or values or 'no data'}")
    return Alert(
        name=policy["displayName"],
        severity=policy["severity"],
        state=policy["state"],
        detail="; ".join(said),
    )


def _open(alert: dict[str, Any]) -> Alert:
    policy = alert.get("policy") or {}
    resource = (alert.get("resource") or {}).get("labels") or {}
    where = ", ".join(f"{key} {value}" for key, value in sorted(resource.items()))
    return Alert(
        name=policy.get("displayName") or alert["name"],
        severity=policy.get("severity") or "",
        state=FIRING,
        detail=f"since {alert.get('openTime', 'an unknown time')}{': ' if where else ''}{where}",
    )


def access_token() -> str:
    """A token of the account that `gcloud` is logged in to. Raises CliError."""
    gcloud = shutil.which("gcloud")
    if gcloud is None:
        raise CliError("`gcloud` is not on the PATH", "install it", Exit.AUTHENTICATION)
    done = subprocess.run(
        [gcloud, *_TOKEN], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    if done.returncode or not done.stdout.strip():
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        raise CliError(
            f"`gcloud {' '.join(_TOKEN)}`: {lines[-1]}", "gcloud auth login", Exit.AUTHENTICATION
        )
    return done.stdout.strip()


def ask(url: str, headers: dict[str, str], body: dict[str, Any] | None = None) -> dict[str, Any]:
    """The answer of Cloud Monitoring or the sandbox to a GET, or to a POST.

    Raises CliError; after a 503, UnavailableError.
    """
    data = None if body is None else json.dumps(body).encode()
    kind = {} if body is None else {"Content-Type": "application/json"}
    request = urllib.request.Request(url, data, {**headers, **kind})  # noqa: S310 (either address)
    where = urllib.parse.urlsplit(url).netloc
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
            found: dict[str, Any] = json.load(answer)
    except urllib.error.HTTPError as error:
        unavailable = error.code == HTTPStatus.SERVICE_UNAVAILABLE
        with error:
            refusal = UnavailableError if unavailable else CliError
            raise refusal(f"{where}: {error.code} {_reason(error.read())}") from None
    except (OSError, ValueError) as error:
        raise CliError(f"{where}: {error}", "is the network up?") from None
    return found


def _reason(body: bytes) -> str:
    try:
        error = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        return "no reason given"
    return str(error["message"] if isinstance(error, dict) else error)
