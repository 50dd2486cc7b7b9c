"""The emulated Identity-Aware Proxy API: IAM policies and settings of what it protects.

Nobody signs in. A policy is validated as every IAM policy is; it and the settings end with the
backend service that they belong to.
"""

from __future__ import annotations

import re

from sandbox.gcp import field_masks, iam_store
from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError, invalid_argument
from sandbox.gcp.service import Call, Handler, Service, project_number
from sandbox.gcp.services import serviceusage

_RESOURCE = re.compile(
    r"projects/(?P<project>[^/]+)/iap_web(?:/(?P<kind>[^/]+)(?:/services/(?P<service>[^/]+))?)?"
)
_COMPUTE = re.compile(r"compute(?:-(?P<region>[a-z0-9-]+))?")
_UNKNOWN = "Requested entity was not found."


def _resource(call: Call, field: str = "resource") -> str:
    """The path of what the request names, by number. Raises ApiError 404 where it is missing."""
    given = call.path[field]
    found = _RESOURCE.fullmatch(given)
    kind = _COMPUTE.fullmatch((found["kind"] or "compute") if found else "")
    if found is None or kind is None:
        raise ApiError(400, "Request contains an invalid argument.")
    project = found["project"]
    serviceusage.refuse_if_disabled(call.state, "iap", project)
    if found["service"] is None:
        return given
    scope = f"regions/{kind['region']}" if kind["region"] else "global"
    for key, body in call.store.collection(f"compute/projects/{project}/{scope}/backendServices"):
        if found["service"] in {key.rpartition("/")[2], body.get("id")}:
            # By number: a backend service recreated under the same name has no policy.
            return f"projects/{project}/iap_web/{found['kind']}/services/{body['id']}"
    raise ApiError(404, _UNKNOWN)


def _policy_key(call: Call) -> str:
    return f"iap/{_resource(call)}"


def _settings(call: Call) -> tuple[str, Json]:
    """The key of the settings in the store, and the settings."""
    path = _resource(call, "name")
    _, project, *rest = path.split("/")
    name = "/".join(["projects", project_number(project), *rest])
    key = f"iap-settings/{path}"
    return key, call.store.get(key) or {"name": name}


async def _get_settings(call: Call) -> Json:
    return _settings(call)[1]


async def _update_settings(call: Call) -> Json:
    """Change the fields of the mask; without one, replace all."""
    key, old = _settings(call)
    given = {k: v for k, v in call.body.items() if k != "name"}
    try:
        # Google's clients name the request's field before the path.
        paths = [p.removeprefix("iapSettings.") for p in field_masks.paths(call.one("updateMask"))]
    except ValueError as error:
        raise invalid_argument(f"Invalid update mask: {error}") from None
    fresh = field_masks.merged(old, given, paths) if paths else {**given}
    fresh = {k: v for k, v in fresh.items() if v is not None} | {"name": old["name"]}
    call.store.put(key, fresh)
    return fresh


_HANDLERS: dict[str, Handler] = {
    **{f"iap.{verb}": handler for verb, handler in iam_store.handlers(_policy_key).items()},
    "iap.getIapSettings": _get_settings,
    "iap.updateIapSettings": _update_settings,
}
SERVICE = Service("iap", _HANDLERS)
