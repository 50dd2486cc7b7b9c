"""The emulated Resource Manager: projects and their IAM policies, v1 and v3.

Every well-formed project id exists; the project is created on first use. Folders and organisations
are not emulated.
"""

from __future__ import annotations

import re

from sandbox.gcp import iam_store
from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError
from sandbox.gcp.service import (
    USER,
    Call,
    Handler,
    Service,
    State,
    fingerprint,
    now,
    project_number,
)

_ID = re.compile(r"(?:[a-z][-a-z0-9.]*\.[a-z]+:)?[a-z][-a-z0-9]{4,28}[a-z0-9]")
_OWNERS: Json = {
    "version": 1,
    "bindings": [{"role": "roles/owner", "members": [f"user:{USER}"]}],
}
"""The policy of a new project."""


def ensure(state: State, project: str) -> Json:
    """The project, created on first use. Raises ApiError 403 for a malformed id."""
    key = f"cloudresourcemanager/projects/{project}"
    found = state.store.get(key)
    if found is not None:
        return found
    if project.isdigit():
        for _, body in state.store.collection("cloudresourcemanager/projects"):
            if body["projectNumber"] == project:
                return body
    if not _ID.fullmatch(project):
        # Google does not distinguish a missing project from a forbidden one.
        raise ApiError(403, "The caller does not have permission")
    made: Json = {
        "projectId": project,
        "projectNumber": project_number(project),
        "name": project,
        "createTime": now(),
        "lifecycleState": "ACTIVE",
    }
    state.store.put(key, made)
    return made


def _shown(project: Json, version: str) -> Json:
    if version == "v1":
        return project
    shown: Json = {
        "name": f"projects/{project['projectNumber']}",
        "projectId": project["projectId"],
        "displayName": project["name"],
        "state": project["lifecycleState"],
        "createTime": project["createTime"],
        "updateTime": project["createTime"],
        "etag": fingerprint(project),
    }
    if project.get("labels"):
        shown["labels"] = project["labels"]
    return shown


def _project(call: Call) -> Json:
    names = ("projectId", "projectsId", "resource", "name")
    found = next(call.path[name] for name in names if call.path.get(name))
    return ensure(call.state, found.removeprefix("projects/"))


def _resource(call: Call) -> str:
    return f"cloudresourcemanager/projects/{_project(call)['projectId']}"


async def _get(call: Call) -> Json:
    return _shown(_project(call), call.method.version)


async def _list(call: Call) -> Json:
    version = call.method.version
    found = [_shown(p, version) for _, p in call.store.collection("cloudresourcemanager/projects")]
    return {"projects": found} if found else {}


_METHODS: dict[str, Handler] = {
    "get": _get,
    "list": _list,
    "search": _list,
    **iam_store.handlers(_resource, _OWNERS),
}
SERVICE = Service(
    "cloudresourcemanager",
    {f"cloudresourcemanager.projects.{verb}": handler for verb, handler in _METHODS.items()},
)
