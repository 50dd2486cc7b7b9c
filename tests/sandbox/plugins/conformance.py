"""Compares the requests of two plugins for the same programs. Not a test.

Requests are compared as a set: which resource each method was used on, and the body of each write.
What is random (ids, fingerprints, addresses) is normalised on both sides. What a plugin may batch
or split is joined: the roles that were granted, and the services that were enabled.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.sandbox.gcp.official_traffic import Sent

Json = Any
Requests = dict[tuple[str, str], Json]
"""Bodies by (method, resource)."""
REQUEST = "(request)"
"""Stands for a field where the request as a whole is the difference."""
OURS, OFFICIAL, DIFFERS = "ours only", "official only", "differs"


@dataclass(frozen=True, slots=True)
class Difference:
    """What one plugin sends and the other does not."""

    request: str
    """The kind of request, such as `POST compute/projects/*/global/networks/*`."""
    field: str
    who: str
    """`ours only`, `official only` or `differs`."""
    example: str


_FRESH = frozenset({"fingerprint", "labelFingerprint", "etag", "nextRotationTime"})
_PLACEHOLDERS = (
    # The API's version: ours uses the first of each, the official one what its release needs.
    (re.compile(r"^/(compute|dns|storage)/(\1/)?[a-z0-9]+/"), r"/\1/"),
    (re.compile(r"^/([a-z]+)/v\d\w*/"), r"/\1/"),
    (re.compile(r"projects/\d{12}\b"), "projects/NUMBER"),
    (re.compile(r"((?:alertPolicies|notificationChannels|dashboards)/)\d+"), r"\1ID"),
    (re.compile(r"(budgets/)[-0-9a-f]{36}"), r"\1ID"),
    (re.compile(r"(uptimeCheckConfigs/[-a-z0-9]+)-[-\w]{11}$"), r"\1-ID"),
    (re.compile(r"(managedZones/[^/]+/changes/)\d+"), r"\1ID"),
)
_IN_TEXT = (
    (re.compile(r"projects/\d{12}\b"), "projects/NUMBER"),
    (re.compile(r"https://www\.googleapis\.com/compute/(v1|beta)/"), ""),
    (re.compile(r"-[0-9a-f]{8}-grp\b"), "-HASH-grp"),
    (re.compile(r"\b127\.\d+\.\d+\.\d+\b"), "ADDRESS"),
    (re.compile(r"((?:alertPolicies|notificationChannels|dashboards)/)\d+"), r"\1ID"),
    (re.compile(r"[-0-9a-f]{36}\.\d\.authorize"), "ID.authorize"),
    (re.compile(r"(-secrets)-[0-9a-f]{6}\b"), r"\1-ID"),
    (re.compile(r'(\\"[-a-z0-9]+)-[-\w]{11}(?=\\")'), r"\1-ID"),  # of uptime checks, in filters
)


def requests(sent: Iterable[Sent]) -> Requests:
    """The requests by method and resource, normalised; looks at operations are left out."""
    found: Requests = {}
    for one in sent:
        if one.is_poll:
            continue
        path = _text(one.path, _PLACEHOLDERS)
        body = _plain(json.loads(_text(one.body, ()))) if one.body else None
        if "/services" in path and "serviceusage" in path:
            _join_services(found, one, path, body)
        elif _is_policy(one, path):
            _join_policy(found, one, path, body)
        else:
            key = (one.verb, f"{path}{_identity(one, path, body)}")
            found[key] = body or None
    return found


def _identity(one: Sent, path: str, body: Json) -> str:
    """What tells creations in one collection apart."""
    if one.verb != "POST" or path.rsplit("/", 1)[-1][:3] == "set":
        return ""
    body = body or {}
    query = re.search(r'(?:Id"?[=:] ?"?)([-\w]+)', one.query)
    wrapped = (body.get(key) for key in ("nodePool", "cluster"))
    inner = next((one for one in wrapped if isinstance(one, dict)), body)
    name = inner.get("name") or inner.get("displayName") or inner.get("accountId")
    if "additions" in body:
        name = body["additions"][0]["name"]
    return f"/{_text(query[1] if query else str(name or ''), _IN_TEXT)}"


def _is_policy(one: Sent, path: str) -> bool:
    return path.endswith((":getIamPolicy", ":setIamPolicy")) or (
        path.startswith("/storage/") and path.endswith("/iam")
    )


def _join_policy(found: Requests, one: Sent, path: str, body: Json) -> None:
    """The grants of a resource, whatever number of writes they take."""
    is_read = path.endswith(":getIamPolicy") or one.verb == "GET"
    place = path.removesuffix(":getIamPolicy").removesuffix(":setIamPolicy")
    if is_read:
        found["policy read", place] = None
        return
    grants = found.setdefault(("policy written", place), {})
    for binding in (body.get("policy") or body)["bindings"]:
        for member in binding["members"]:
            grants[f"{binding['role']} {member}"] = True


def _join_services(found: Requests, one: Sent, path: str, body: Json) -> None:
    project = path.partition("/services")[0]
    if one.verb == "GET":
        found["services read", project] = None
        return
    enabled = found.setdefault(("services enabled", project), {})
    single = re.search(r"/services/([^/:]+):enable", path)
    for name in [single[1]] if single else (body or {}).get("serviceIds", []):
        enabled[name] = True


def _text(text: str, patterns: Iterable[tuple[re.Pattern[str], str]]) -> str:
    for pattern, instead in (*patterns, *_IN_TEXT):
        text = pattern.sub(instead, text)
    return text


def _plain(value: Json) -> Json:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items() if k not in _FRESH}
    if isinstance(value, list):
        items = [_plain(item) for item in value]
        return sorted(items, key=lambda item: json.dumps(item, sort_keys=True))
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return str(int(value)) if float(value).is_integer() else str(value)
    return value


def differences(own: Requests, official: Requests) -> Iterator[Difference]:
    """Every difference, once a resource."""
    for key in sorted(own.keys() | official.keys()):
        kind = general(*key)
        if key not in own:
            yield Difference(kind, REQUEST, OFFICIAL, f"{key}")
        elif key not in official:
            yield Difference(kind, REQUEST, OURS, f"{key}")
        else:
            yield from _fields(kind, own[key], official[key], "")


def general(method: str, resource: str) -> str:
    """A request's kind: names below collections are left out."""
    parts = resource.strip("/").split("/")
    service, rest = parts[0], parts[1:]
    shown = [part if index % 2 == 0 else "*" for index, part in enumerate(rest)]
    if service == "compute" and len(rest) > 2 and rest[2] == "global":
        shown = [
            *("projects", "*", "global"),
            *(part if index % 2 == 0 else "*" for index, part in enumerate(rest[3:])),
        ]
    return f"{method} {service}/{'/'.join(shown)}"


def _fields(kind: str, mine: Json, theirs: Json, at: str) -> Iterator[Difference]:
    if isinstance(mine, dict) and isinstance(theirs, dict):
        for key in sorted(mine.keys() | theirs.keys()):
            place = f"{at}.{key}".lstrip(".")
            if key not in mine:
                yield Difference(kind, place, OFFICIAL, _shown(theirs[key]))
            elif key not in theirs:
                yield Difference(kind, place, OURS, _shown(mine[key]))
            else:
                yield from _fields(kind, mine[key], theirs[key], place)
    elif isinstance(mine, list) and isinstance(theirs, list) and len(mine) == len(theirs):
        for one, other in zip(mine, theirs, strict=True):
            yield from _fields(kind, one, other, f"{at}[]")
    elif mine != theirs:
        yield Difference(kind, at, DIFFERS, f"ours {_shown(mine)}, official {_shown(theirs)}")


def _shown(value: Json) -> str:
    return json.dumps(value, sort_keys=True)[:300]
