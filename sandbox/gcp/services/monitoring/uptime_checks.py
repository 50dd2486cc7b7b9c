"""Uptime checks: validation, defaults, and which fields are masked."""

from __future__ import annotations

import json
import re
import secrets

from sandbox.gcp.collections import Collection
from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError, invalid_argument
from sandbox.gcp.service import Call, State
from sandbox.gcp.services.monitoring.shared import HIDDEN, common, pruned
from sandbox.well_known_types import seconds

_MOST = 100
"""Uptime checks of a project: https://cloud.google.com/monitoring/quotas."""
_PERIODS = ("60s", "300s", "600s", "900s")


def _complete_uptime_check(call: Call, document: Json, old: Json | None) -> None:
    folder = f"monitoring/projects/{call.path['projectsId']}/uptimeCheckConfigs"
    if old is None and sum(1 for _ in call.store.collection(folder)) >= _MOST:
        # The limit is documented; the words of Google's refusal are not.
        raise ApiError(429, f"A project has at most {_MOST} uptime checks.")
    if not document.get("displayName"):
        raise invalid_argument("Field uptimeCheckConfig.displayName was not set")
    if not any(document.get(kind) for kind in ("httpCheck", "tcpCheck")) and not (
        document.keys() & {"httpCheck", "tcpCheck"}
    ):
        raise invalid_argument("An uptime check must have an http_check or a tcp_check.")
    if not document.keys() & {"monitoredResource", "resourceGroup", "syntheticMonitor"}:
        raise invalid_argument(
            "An uptime check must have a monitored_resource or a resource_group."
        )
    document.setdefault("period", "60s")
    document.setdefault("timeout", "10s")
    document.setdefault("checkerType", "STATIC_IP_CHECKERS")
    if document["period"] not in _PERIODS:
        raise invalid_argument(f"Invalid period {document['period']}: use 60s, 300s, 600s or 900s.")
    if not 1 <= _seconds(document["timeout"]) <= 60:
        raise invalid_argument(f"Invalid timeout {document['timeout']}: use 1s to 60s.")
    resource: Json | None = document.get("monitoredResource")
    if resource is not None:
        labels = resource.setdefault("labels", {})
        labels.setdefault("project_id", call.path["projectsId"])
    http: Json | None = document.get("httpCheck")
    if http is not None:
        http.setdefault("requestMethod", "GET")
        http["path"] = f"/{str(http.get('path') or '').removeprefix('/')}"
        if not http.get("port"):
            http["port"] = 443 if http.get("useSsl") else 80
        if http.get("body"):
            http.setdefault("headers", {}).setdefault("Content-Length", "")
    tcp = document.get("tcpCheck")
    if tcp is not None and not tcp.get("port"):
        raise invalid_argument("A tcp_check must have a port.")


def _seconds(duration: str) -> float:
    try:
        return seconds(duration)
    except ValueError:
        raise invalid_argument(f"Invalid duration {duration!r}.") from None


def _with_masked_headers(_: State, document: Json) -> Json:
    http: Json | None = document.get("httpCheck")
    if http is None:
        return pruned(document)
    shown = dict(http)
    if shown.get("authInfo"):
        shown["authInfo"] = shown["authInfo"] | {"password": HIDDEN}
    if shown.get("headers") and shown.get("maskHeaders"):
        shown["headers"] = dict.fromkeys(shown["headers"], HIDDEN)
    return pruned(document | {"httpCheck": shown})


def _new_id(call: Call) -> str:
    """The display name, made fit for an id, and a random suffix, as Google makes it."""
    slug = re.sub(r"[^a-z0-9]+", "-", str(call.body.get("displayName") or "").lower()).strip("-")
    return f"{slug}-{secrets.token_urlsafe(8).replace('_', '-')}"


def _refuse_used(call: Call, document: Json) -> None:
    """Refuse to delete a check while a condition of an alert policy watches it."""
    project, _, identity = document["name"].partition("/uptimeCheckConfigs/")
    watched = re.compile(rf"check_id\s*=\s*[\"']?{re.escape(identity)}\b")
    for name, policy in call.store.collection(f"monitoring/{project}/alertPolicies"):
        for condition in policy.get("conditions") or ():
            if watched.search(json.dumps(condition).replace("\\", "")):
                raise invalid_argument(
                    f"Cannot delete check {identity}. One or more alerting policies is using it. "
                    f"Delete the alerting policy '{project}/alertPolicies/{name}' first."
                )


UPTIME_CHECKS = Collection(
    path="projects.uptimeCheckConfigs",
    noun="uptime check",
    new_id=_new_id,
    complete=_complete_uptime_check,
    before_delete=_refuse_used,
    show=_with_masked_headers,
    **common("Config not found for check {id} in project {project}"),
)
