"""The emulated Resource Manager: projects and their policies, v1 and v3.

Any well-formed project id is a project that is there, made when it is first asked for: a rehearsal
must not begin with making projects. Folders and organisations are not emulated.
"""

from __future__ import annotations

import re

from sandbox.gcp import iam_store
from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError
from sandbox.gcp.service import USER, Call, Service, State, fingerprint, now, project_number

_ID = re.compile(r"(?:[a-z][-a-z0-9.]*\.[a-z]+:)?[a-z][-a-z0-9]{4,28}[a-z0-9]")
_OWNERS: Json = {
    "version": 1,
    "bindings": [{"role": "roles/owner", "members": [f"user:{USER}"]}],
}
"""What the policy of a new project says."""


def ensure(state: State, project: str) -> Json:
    """Return the project, made now if it was never asked for. Raises 403 for what is no id."""
    key = f"cloudresourcemanager/projects/{project}"
    found = state.store.get(key)
    if found is not None:
        return found
    if project.isdigit():
        for _, body in state.store.collection("cloudresourcemanager/projects"):
            if body["projectNumber"] == project:
                return body
    if not _ID.fullmatch(project):
        # Google does not tell what does not exist from what one may not see.
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


async def _get_policy(call: Call) -> Json:
    return iam_store.get(call.state, _resource(call), _OWNERS)


async def _set_policy(call: Call) -> Json:
    resource = _resource(call)
    return iam_store.put(call.state, resource, call.body.get("policy") or {}, _OWNERS)


async def _test_permissions(call: Call) -> Json:
    _project(call)
    return iam_store.granted(call.body)


SERVICE = Service(
    "cloudresourcemanager",
    {
        "cloudresourcemanager.projects.get": _get,
        "cloudresourcemanager.projects.list": _list,
        "cloudresourcemanager.projects.search": _list,
        "cloudresourcemanager.projects.getIamPolicy": _get_policy,
        "cloudresourcemanager.projects.setIamPolicy": _set_policy,
        "cloudresourcemanager.projects.testIamPermissions": _test_permissions,
    },
)
