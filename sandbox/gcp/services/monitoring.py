"""Cloud Monitoring's configuration: uptime checks, alert policies, notification channels.

Nothing is measured here: what is kept is what should be.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError
from sandbox.gcp.filters import page
from sandbox.gcp.service import USER, Call, Handler, Service, now


@dataclass(frozen=True, slots=True)
class _Kind:
    """One collection below a project."""

    collection: str
    noun: str
    required: tuple[str, ...]
    has_records: bool = False
    """Whether it tells who made and changed it."""


_KINDS = (
    _Kind("alertPolicies", "alert policy", ("displayName", "combiner"), has_records=True),
    _Kind("notificationChannels", "notification channel", ("type",)),
    _Kind("uptimeCheckConfigs", "uptime check", ("displayName",)),
)


def _id(kind: _Kind, body: Json) -> str:
    if kind.collection == "uptimeCheckConfigs":
        # The name's head is the display name, as Google makes it.
        words = "".join(c if c.isalnum() else "-" for c in body["displayName"].lower()).strip("-")
        return f"{words}-{secrets.token_urlsafe(8).replace('_', 'a').replace('-', 'b')}"
    return str(secrets.randbelow(9 * 10**18) + 10**18)


def _complete(kind: _Kind, document: Json) -> None:
    """Fill in the server's defaults; refuse what it refuses."""
    for field in kind.required:
        if not document.get(field):
            raise ApiError(400, f"Field {field} is required for {_article(kind.noun)}.")
    if kind.collection == "uptimeCheckConfigs":
        _complete_uptime_check(document)
    if kind.collection == "alertPolicies":
        document.setdefault("enabled", True)
        for index, condition in enumerate(document.get("conditions") or []):
            condition.setdefault("name", f"{document['name']}/conditions/{10**18 + index}")
    if kind.collection == "notificationChannels":
        document.setdefault("enabled", True)


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _complete_uptime_check(check: Json) -> None:
    if not any(check.get(field) for field in ("httpCheck", "tcpCheck")):
        raise ApiError(400, "Exactly one of httpCheck and tcpCheck must be set.")
    if not any(check.get(f) for f in ("monitoredResource", "resourceGroup", "syntheticMonitor")):
        raise ApiError(400, "A monitored resource or a resource group must be set.")
    check.setdefault("period", "60s")
    check.setdefault("timeout", "10s")
    check.setdefault("checkerType", "STATIC_IP_CHECKERS")
    period, timeout = (float(str(check[f]).removesuffix("s")) for f in ("period", "timeout"))
    if period not in {60, 300, 600, 900}:
        raise ApiError(400, f"Invalid period {check['period']}: use 60s, 300s, 600s or 900s.")
    if not 1 <= timeout <= 60:
        raise ApiError(400, f"Invalid timeout {check['timeout']}: use 1s to 60s.")
    http = check.get("httpCheck")
    if http is not None:
        http.setdefault("path", "/")
        http.setdefault("requestMethod", "GET")
        http.setdefault("port", 443 if http.get("useSsl") else 80)
        if not str(http["path"]).startswith("/"):
            http["path"] = f"/{http['path']}"


def _handlers(kind: _Kind) -> dict[str, Handler]:
    def load(call: Call) -> Json:
        found = call.store.get(f"monitoring/{call.url_path}")
        if found is None:
            raise ApiError(404, f'Could not find {kind.noun} "{call.url_path}".')
        return found

    async def create(call: Call) -> Json:
        body = {k: v for k, v in call.body.items() if v is not None and k != "name"}
        for field in kind.required:
            if not body.get(field):
                raise ApiError(400, f"Field {field} is required for {_article(kind.noun)}.")
        name = f"{call.url_path}/{_id(kind, body)}"
        document: Json = {**body, "name": name}
        if kind.has_records:
            record = {"mutateTime": now(), "mutatedBy": USER}
            document |= {"creationRecord": record, "mutationRecord": record}
        _complete(kind, document)
        call.store.put(f"monitoring/{name}", document)
        return document

    async def get(call: Call) -> Json:
        return load(call)

    async def list_(call: Call) -> Json:
        items = [body for _, body in call.store.collection(f"monitoring/{call.url_path}")]
        chosen, token = page(call, items)
        listed: Json = {kind.collection: chosen, "totalSize": len(items)} if items else {}
        return listed | ({"nextPageToken": token} if token else {})

    async def patch(call: Call) -> Json:
        old = load(call)
        mask = [field for field in call.one("updateMask").split(",") if field]
        given = {k: v for k, v in call.body.items() if k != "name"}
        document = _masked(old, given, mask) if mask else {**given, "name": old["name"]}
        if kind.has_records:
            document["creationRecord"] = old["creationRecord"]
            document["mutationRecord"] = {"mutateTime": now(), "mutatedBy": USER}
        _complete(kind, document)
        call.store.put(f"monitoring/{call.url_path}", document)
        return document

    async def delete(call: Call) -> Json:
        found = load(call)
        users = _users(call, found["name"])
        if users and call.one("force") != "true":
            raise ApiError(
                400, f"Cannot delete {kind.noun} {found['name']}: used by {', '.join(users)}.",
                status="FAILED_PRECONDITION",
            )  # fmt: skip
        call.store.delete(f"monitoring/{call.url_path}")
        return {}

    named: dict[str, Handler] = {
        "create": create, "get": get, "list": list_, "patch": patch, "delete": delete,
    }  # fmt: skip
    prefix = f"monitoring.projects.{kind.collection}"
    return {f"{prefix}.{verb}": handler for verb, handler in named.items()}


def _users(call: Call, name: str) -> list[str]:
    """The alert policies that notify a channel, or watch an uptime check."""
    project = "/".join(name.split("/")[:2])
    policies = call.store.collection(f"monitoring/{project}/alertPolicies")
    return [p["name"] for _, p in policies if name in (p.get("notificationChannels") or [])]


def _masked(old: Json, given: Json, mask: list[str]) -> Json:
    """The old document with the masked fields taken from the new one."""
    document: Json = dict(old)
    for path in mask:
        *parents, last = path.split(".")
        source: Any = given
        target: Any = document
        for part in parents:
            source = source.get(part) or {} if isinstance(source, dict) else {}
            target[part] = dict(target.get(part) or {})
            target = target[part]
        if source.get(last) is None:
            target.pop(last, None)
        else:
            target[last] = source[last]
    return document


SERVICE = Service("monitoring", {k: v for kind in _KINDS for k, v in _handlers(kind).items()})
