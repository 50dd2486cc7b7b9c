"""Finds resources whose ids Google chooses, by the names that people gave them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_SECONDS = 30
Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Listing:
    """Where resources of a type are listed."""

    variable: str
    """The variable that leads elsewhere, in a rehearsal."""
    address: str
    path: str
    field: str


_MONITORING = ("GOOGLE_MONITORING_CUSTOM_ENDPOINT", "https://monitoring.googleapis.com/")
_BUDGETS = ("GOOGLE_BILLING_BUDGETS_CUSTOM_ENDPOINT", "https://billingbudgets.googleapis.com/v1/")
LISTINGS: Mapping[str, Listing] = {
    "gcp:billing/budget:Budget": Listing(
        *_BUDGETS, "billingAccounts/{billingAccount}/budgets", "budgets"
    ),
    "gcp:monitoring/alertPolicy:AlertPolicy": Listing(
        *_MONITORING, "v3/projects/{project}/alertPolicies", "alertPolicies"
    ),
    "gcp:monitoring/dashboard:Dashboard": Listing(
        *_MONITORING, "v1/projects/{project}/dashboards", "dashboards"
    ),
    "gcp:monitoring/notificationChannel:NotificationChannel": Listing(
        *_MONITORING, "v3/projects/{project}/notificationChannels", "notificationChannels"
    ),
    "gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig": Listing(
        *_MONITORING, "v3/projects/{project}/uptimeCheckConfigs", "uptimeCheckConfigs"
    ),
}


class LookupFailedError(Exception):
    """Google could not be asked; `str()` is one line."""


def ids(type_: str, inputs: Values, provider: Values, environment: Mapping[str, str]) -> list[str]:
    """The ids of all resources with the display name and the labels of these inputs.

    Raises LookupFailedError.
    """
    listing = LISTINGS[type_]
    values = {**provider, **{k: v for k, v in inputs.items() if isinstance(v, str)}}
    try:
        path = listing.path.format_map(values)
    except KeyError as error:
        raise LookupFailedError(f"its {error.args[0]} is not known") from None
    base = environment.get(listing.variable) or listing.address
    return [
        str(found["name"])
        for found in _pages(f"{base.rstrip('/')}/{path}", listing.field, token(environment))
        if _is_it(inputs, found)
    ]


def _is_it(inputs: Values, found: Values) -> bool:
    wanted: Values = inputs
    if "dashboardJson" in inputs:
        wanted = json.loads(str(inputs["dashboardJson"]))
    labels = wanted.get("userLabels") or {}
    has = found.get("userLabels") or {}
    return (
        wanted.get("displayName") is not None
        and found.get("displayName") == wanted["displayName"]
        and all(has.get(name) == value for name, value in labels.items())
    )


def _pages(url: str, field: str, token: str) -> Iterator[Values]:
    import httpx  # noqa: PLC0415 (only an interrupted run needs it)

    following = ""
    while True:
        asked = {"pageToken": following} if following else {}
        headers = {"Authorization": f"Bearer {token}"}
        try:
            answer = httpx.get(url, params=asked, headers=headers, timeout=_SECONDS)
            page = answer.raise_for_status().json()
        except (httpx.HTTPError, ValueError) as error:
            raise LookupFailedError(f"{url}: {error}") from error
        yield from page.get(field) or ()
        following = page.get("nextPageToken", "")
        if not following:
            return


def token(environment: Mapping[str, str]) -> str:
    """The access token of this environment. Raises LookupFailedError."""
    given = environment.get("GOOGLE_OAUTH_ACCESS_TOKEN")
    if given:
        return given
    gcloud = shutil.which("gcloud", path=environment.get("PATH", os.defpath))
    if gcloud is None:
        raise LookupFailedError(
            "`gcloud` is not on the PATH, and GOOGLE_OAUTH_ACCESS_TOKEN is not set"
        )
    done = subprocess.run(
        [gcloud, "auth", "application-default", "print-access-token"],
        env=dict(environment),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode:
        raise LookupFailedError("`gcloud auth application-default print-access-token` failed")
    return done.stdout.strip()
