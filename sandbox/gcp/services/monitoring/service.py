"""The collections of the emulated Cloud Monitoring API: what is configured, not what is measured.

Uptime checks, alert policies, notification channels, groups, services, their objectives and
dashboards can be made, read, changed and deleted. Nothing is asked, measured or sent.
"""

from __future__ import annotations

import copy
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError
from sandbox.gcp.filters import page
from sandbox.gcp.service import USER, Call, Handler, Service, now, project_number
from sandbox.gcp.services import cloudresourcemanager
from sandbox.gcp.services.monitoring import dashboards, policies

_HIDDEN = "******"
_SECRET_LABELS = frozenset({"auth_token", "password", "service_key"})
_MAP_FIELDS = frozenset({"userLabels", "labels", "headers"})
_ID = re.compile(r"[a-zA-Z0-9._:-]{1,63}")


def _bad(message: str) -> ApiError:
    return ApiError(400, message)


def _pruned(value: Any, key: str = "") -> Any:
    """Leave out what has its default, as the API does; empty messages stay."""
    if isinstance(value, dict):
        return {
            name: _pruned(item, name)
            for name, item in value.items()
            if key in _MAP_FIELDS or isinstance(item, dict) or item not in (None, False, 0, "", [])
        }
    if isinstance(value, list):
        return [_pruned(item) for item in value]
    return value


def _complete_uptime_check(call: Call, document: Json, old: Json | None) -> None:  # noqa: ARG001
    if not document.get("displayName"):
        raise _bad("Field uptimeCheckConfig.displayName was not set")
    if not any(document.get(kind) for kind in ("httpCheck", "tcpCheck")) and not (
        document.keys() & {"httpCheck", "tcpCheck"}
    ):
        raise _bad("An uptime check must have an http_check or a tcp_check.")
    if not document.keys() & {"monitoredResource", "resourceGroup", "syntheticMonitor"}:
        raise _bad("An uptime check must have a monitored_resource or a resource_group.")
    document.setdefault("period", "60s")
    document.setdefault("timeout", "10s")
    document.setdefault("checkerType", "STATIC_IP_CHECKERS")
    if document["period"] not in ("60s", "300s", "600s", "900s"):
        raise _bad(f"Invalid period {document['period']}: use 60s, 300s, 600s or 900s.")
    if not 1 <= _seconds(document["timeout"]) <= 60:
        raise _bad(f"Invalid timeout {document['timeout']}: use 1s to 60s.")
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
        raise _bad("A tcp_check must have a port.")


def _seconds(duration: str) -> float:
    try:
        return float(duration.removesuffix("s"))
    except ValueError:
        raise _bad(f"Invalid duration {duration!r}.") from None


def _show_uptime_check(document: Json) -> Json:
    http: Json | None = document.get("httpCheck")
    if http is None:
        return document
    shown = dict(http)
    if shown.get("authInfo"):
        shown["authInfo"] = shown["authInfo"] | {"password": _HIDDEN}
    if shown.get("headers") and shown.get("maskHeaders"):
        shown["headers"] = dict.fromkeys(shown["headers"], _HIDDEN)
    return document | {"httpCheck": shown}


def _complete_alert_policy(call: Call, document: Json, old: Json | None) -> None:
    if not document.get("displayName"):
        raise _bad("Field alert_policy.display_name was not set")
    conditions = document.get("conditions") or []
    if not conditions:
        raise _bad("Field alert_policy.conditions must have at least one condition.")
    if not document.get("combiner"):
        raise _bad("Field alert_policy.combiner must be set.")
    document.setdefault("enabled", True)
    policies.check_conditions(call, document)
    project = call.path["projectsId"]
    for channel in document.get("notificationChannels") or []:
        if f"monitoring/{policies.by_id(channel, project)}" not in call.store:
            raise ApiError(404, f"Cannot find channel: {channel}.")
    for condition in conditions:
        condition.setdefault("name", f"{document['name']}/conditions/{_number()}")
    change = {"mutateTime": now(), "mutatedBy": USER}
    document["creationRecord"] = (old or {}).get("creationRecord") or change
    document["mutationRecord"] = change


def _complete_channel(call: Call, document: Json, old: Json | None) -> None:  # noqa: ARG001
    _keep_secrets(document, old)
    policies.check_channel(document)
    document.setdefault("enabled", True)
    mutated = {"mutateTime": now()}
    document["creationRecord"] = (old or {}).get("creationRecord") or mutated
    document["mutationRecords"] = [*((old or {}).get("mutationRecords") or []), mutated]


def _keep_secrets(document: Json, old: Json | None) -> None:
    """A secret that comes back as it was shown, stays."""
    labels, before = document.get("labels") or {}, (old or {}).get("labels") or {}
    for name in labels:
        if labels[name] == _HIDDEN and name in before:
            labels[name] = before[name]


def _show_channel(document: Json) -> Json:
    labels = document.get("labels") or {}
    hidden = {k: _HIDDEN for k in labels if k in _SECRET_LABELS}
    return document | ({"labels": labels | hidden} if hidden else {})


def _complete_objective(call: Call, document: Json, old: Json | None) -> None:  # noqa: ARG001
    service = f"monitoring/{call.url_path.partition('/serviceLevelObjectives')[0]}"
    if service not in call.store:
        raise ApiError(404, f"There is no service {call.path['servicesId']}.")
    policies.check_objective(call, document)


def _as_it_is(document: Json) -> Json:
    return document


def _nothing(call: Call, document: Json, old: Json | None) -> None:
    """Nothing is special of this kind."""


def _number() -> str:
    return str(10**18 + secrets.randbelow(9 * 10**18))


@dataclass(frozen=True, slots=True)
class _Kind:
    """One collection: what is special of it, and how its absence is told."""

    listed: str
    parameter: str
    missing: Callable[[Call, str], str]
    complete: Callable[[Call, Json, Json | None], None] = _nothing
    show: Callable[[Json], Json] = _as_it_is
    id_parameter: str = ""
    """The query parameter by which a caller chooses the id."""
    by_number: bool = False
    """Whether names bear the project's number."""
    is_whole: bool = False
    """Whether a PATCH without a mask is taken to be the whole, and shown as it was given."""


def _plain(call: Call, name: str) -> str:
    return f"The resource {name} of {call.path['projectsId']} could not be found."


_KINDS = {
    "projects.uptimeCheckConfigs": _Kind(
        "uptimeCheckConfigs",
        "uptimeCheckConfigsId",
        lambda call, name: (
            f"Config not found for check {name} in project {call.path['projectsId']}"
        ),
        _complete_uptime_check,
        _show_uptime_check,
    ),
    "projects.alertPolicies": _Kind(
        "alertPolicies",
        "alertPoliciesId",
        lambda call, name: (
            f'Cannot find alert policy "projects/{call.path["projectsId"]}/alertPolicies/{name}".'
        ),
        _complete_alert_policy,
    ),
    "projects.notificationChannels": _Kind(
        "notificationChannels",
        "notificationChannelsId",
        lambda call, name: (
            f'Cannot find channel "projects/{call.path["projectsId"]}/notificationChannels/{name}".'
        ),
        _complete_channel,
        _show_channel,
    ),
    "projects.dashboards": _Kind(
        "dashboards",
        "dashboardsId",
        lambda call, name: (
            f"Could not find dashboard with resource name "
            f"'projects/{call.path['projectsId']}/dashboards/{name}'."
        ),
        dashboards.complete,
        by_number=True,
        is_whole=True,
    ),
    "projects.groups": _Kind("group", "groupsId", _plain),
    "services": _Kind(
        "services",
        "servicesId",
        lambda call, name: (
            f"There is no service with id '{name}' in project "
            f"'{project_number(call.path['v3Id1'])}'"
        ),
        id_parameter="serviceId",
        by_number=True,
    ),
    "services.serviceLevelObjectives": _Kind(
        "serviceLevelObjectives",
        "serviceLevelObjectivesId",
        lambda call, name: (
            f'There is no slo with id "{name}" under service "{call.path["servicesId"]}" in '
            f'project "{call.path["v3Id1"]}"'
        ),
        _complete_objective,
        id_parameter="serviceLevelObjectiveId",
        by_number=True,
    ),
}


class _Collection:
    """The methods of one collection."""

    def __init__(self, kind: _Kind) -> None:
        self._kind = kind

    def _named(self, path: str) -> str:
        if not self._kind.by_number:
            return path
        project = path.split("/")[1]
        return path.replace(project, project_number(project), 1)

    def _shown(self, document: Json) -> Json:
        shown: Json = self._kind.show(document)
        if not self._kind.is_whole:
            shown = _pruned(shown)
        return shown

    def _load(self, call: Call) -> Json:
        found = call.store.get(f"monitoring/{call.url_path}")
        if found is None:
            missing = self._kind.missing(call, call.path[self._kind.parameter])
            raise ApiError(404, missing)
        return found

    async def create(self, call: Call) -> Json:
        project = call.path.get("projectsId") or call.path["v3Id1"]
        cloudresourcemanager.ensure(call.state, project)
        chosen = call.one(self._kind.id_parameter) if self._kind.id_parameter else ""
        if chosen and not _ID.fullmatch(chosen):
            raise _bad(f'Invalid id "{chosen}".')
        path = f"{call.url_path}/{chosen or _fresh_id(call.body)}"
        if f"monitoring/{path}" in call.store:
            raise ApiError(409, f"{path} already exists.")
        document = {k: v for k, v in call.body.items() if v is not None}
        document["name"] = self._named(path)
        self._kind.complete(call, document, None)
        call.store.put(f"monitoring/{path}", document)
        return self._shown(document)

    async def get(self, call: Call) -> Json:
        return self._shown(self._load(call))

    async def list(self, call: Call) -> Json:
        folder = f"monitoring/{call.url_path}"
        found = [self._shown(body) for _, body in call.store.collection(folder)]
        chosen, token = page(call, found)
        listed: Json = {self._kind.listed: chosen, "totalSize": len(found)} if found else {}
        return listed | ({"nextPageToken": token} if token else {})

    async def patch(self, call: Call) -> Json:
        old = self._load(call)
        mask = [part for part in call.one("updateMask").split(",") if part]
        given = {k: v for k, v in call.body.items() if k != "name"}
        document = _masked(old, given, mask) if mask else {**given, "name": old["name"]}
        self._kind.complete(call, document, old)
        call.store.put(f"monitoring/{call.url_path}", document)
        return self._shown(document)

    async def update(self, call: Call) -> Json:
        old = self._load(call)
        document = {k: v for k, v in call.body.items() if v is not None} | {"name": old["name"]}
        self._kind.complete(call, document, old)
        call.store.put(f"monitoring/{call.url_path}", document)
        return self._shown(document)

    async def delete(self, call: Call) -> Json:
        document = self._load(call)
        self._refuse_in_use(call, document)
        call.store.delete(f"monitoring/{call.url_path}")
        return {}

    def _refuse_in_use(self, call: Call, document: Json) -> None:
        if self._kind.listed != "notificationChannels" or call.one("force") == "true":
            return
        policies = f"monitoring/projects/{call.path['projectsId']}/alertPolicies"
        for _, policy in call.store.collection(policies):
            if document["name"] in (policy.get("notificationChannels") or []):
                raise ApiError(
                    400,
                    f"Cannot delete channel {document['name']}: it is in use by the alert policy "
                    f"{policy['name']}.",
                    status="FAILED_PRECONDITION",
                )


def _masked(old: Json, given: Json, mask: list[str]) -> Json:
    """Return the old document with the masked fields taken from the new one."""
    document: Json = copy.deepcopy(old)
    for path in mask:
        *parents, last = (_camel(part) for part in path.split("."))
        source: Any = given
        target: Any = document
        for part in parents:
            source = source.get(part) or {} if isinstance(source, dict) else {}
            target = target.setdefault(part, {})
        if source.get(last) is None:
            target.pop(last, None)
        else:
            target[last] = source[last]
    return document


def _camel(name: str) -> str:
    return re.sub(r"_([a-z])", lambda found: found.group(1).upper(), name)


def _fresh_id(body: Json) -> str:
    """An uptime check's id begins with its name; the others' are numbers."""
    if "httpCheck" in body or "tcpCheck" in body:
        slug = re.sub(r"[^a-z0-9]+", "-", str(body.get("displayName") or "").lower()).strip("-")
        return f"{slug}-{secrets.token_urlsafe(8).replace('_', '-')}"
    return _number()


def _handlers() -> dict[str, Handler]:
    handlers: dict[str, Handler] = {}
    for name, kind in _KINDS.items():
        methods = _Collection(kind)
        for verb in ("create", "get", "list", "patch", "update", "delete"):
            handlers[f"monitoring.{name}.{verb}"] = getattr(methods, verb)
    return handlers


SERVICE = Service("monitoring", _handlers())
