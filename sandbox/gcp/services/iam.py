"""The emulated IAM API: service accounts, their policies, and roles. Keys are not emulated."""

from __future__ import annotations

import re
import secrets

from sandbox.gcp import iam_policy, iam_store
from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError
from sandbox.gcp.service import Call, Handler, Service, State, fingerprint
from sandbox.gcp.services import cloudresourcemanager

_ACCOUNT_ID = re.compile(r"[a-z](?:[-a-z0-9]{4,28}[a-z0-9])")
_ROLE_ID = re.compile(r"[a-zA-Z0-9_.]{3,64}")
# Fields that a patch may change, as its mask spells them and as JSON does.
_PATCHABLE = {"description": "description", "display_name": "displayName"}


def _folder(project: str) -> str:
    return f"iam/projects/{project}/serviceAccounts"


def _unknown() -> ApiError:
    return ApiError(404, "Unknown service account")


def find(state: State, project: str, wanted: str) -> Json:
    """Return a service account by its e-mail address or unique id; `-` is any project. Raises."""
    if project == "-":
        project = wanted.partition("@")[2].removesuffix(".iam.gserviceaccount.com")
    found = state.store.get(f"{_folder(project)}/{wanted}")
    if found is None and wanted.isdigit():
        accounts = (body for _, body in state.store.collection(_folder(project)))
        found = next((body for body in accounts if body["uniqueId"] == wanted), None)
    if found is None:
        raise _unknown()
    return found


def _account(call: Call) -> Json:
    return find(call.state, call.path["projectsId"], call.path["serviceAccountsId"])


def _save(state: State, account: Json) -> None:
    account["etag"] = fingerprint(
        [account.get(k) for k in ("displayName", "description", "disabled")]
    )
    state.store.put(f"{_folder(account['projectId'])}/{account['email']}", account)


def _shown(account: Json) -> Json:
    return {key: value for key, value in account.items() if value not in ("", False, None)}


async def _create(call: Call) -> Json:
    project = call.path["projectsId"]
    cloudresourcemanager.ensure(call.state, project)
    account_id = str(call.body.get("accountId") or "")
    if not 6 <= len(account_id) <= 30:
        raise ApiError(
            400,
            f'The account ID "{account_id}" does not have a length between 6 and 30.',
            reason="badRequest",
        )
    if not _ACCOUNT_ID.fullmatch(account_id):
        raise ApiError(
            400,
            f'Invalid account ID "{account_id}": it must match [a-z]([-a-z0-9]*[a-z0-9]).',
            reason="badRequest",
        )
    email = f"{account_id}@{project}.iam.gserviceaccount.com"
    if f"{_folder(project)}/{email}" in call.store:
        raise ApiError(
            409, f"Service account {account_id} already exists within project projects/{project}."
        )
    given: Json = call.body.get("serviceAccount") or {}
    unique_id = str(10**20 + secrets.randbelow(9 * 10**19))
    account: Json = {
        "name": f"projects/{project}/serviceAccounts/{email}",
        "projectId": project,
        "uniqueId": unique_id,
        "email": email,
        "displayName": given.get("displayName") or "",
        "description": given.get("description") or "",
        "oauth2ClientId": unique_id,
    }
    _save(call.state, account)
    return _shown(account)


async def _get(call: Call) -> Json:
    return _shown(_account(call))


async def _list(call: Call) -> Json:
    accounts = [_shown(body) for _, body in call.store.collection(_folder(call.path["projectsId"]))]
    return {"accounts": accounts} if accounts else {}


async def _patch(call: Call) -> Json:
    account = _account(call)
    given: Json = call.body.get("serviceAccount") or {}
    if given.get("etag") and given["etag"] != account["etag"]:
        raise ApiError(
            409, "Service account was changed meanwhile.", status="ABORTED", reason="aborted"
        )
    mask = [part.strip() for part in str(call.body.get("updateMask") or "").split(",") if part]
    answer: Json = {"name": account["name"]}
    for part in mask:
        name = _PATCHABLE.get(re.sub(r"([A-Z])", r"_\1", part).lower())
        if name is None:
            raise ApiError(
                400, f"Invalid update mask: {part} cannot be changed.", reason="badRequest"
            )
        account[name] = given.get(name) or ""
        answer[name] = account[name]
    _save(call.state, account)
    # Google answers with what was changed, and no more.
    return _shown(answer)


async def _update(call: Call) -> Json:
    account = _account(call)
    account["displayName"] = call.body.get("displayName") or ""
    account["description"] = call.body.get("description") or account["description"]
    _save(call.state, account)
    return _shown(account)


async def _delete(call: Call) -> Json:
    account = _account(call)
    call.store.delete(f"{_folder(account['projectId'])}/{account['email']}")
    iam_store.delete(call.state, f"iam/{account['name']}")
    iam_store.forget_account(call.state, account["email"], account["uniqueId"])
    return {}


def _switch(*, disabled: bool) -> Handler:
    async def switch(call: Call) -> Json:
        account = _account(call)
        account["disabled"] = disabled
        _save(call.state, account)
        return {}

    return switch


async def _get_policy(call: Call) -> Json:
    return iam_store.get(call.state, f"iam/{_account(call)['name']}")


async def _set_policy(call: Call) -> Json:
    name = _account(call)["name"]
    return iam_store.put(call.state, f"iam/{name}", call.body.get("policy") or {})


async def _test_permissions(call: Call) -> Json:
    _account(call)
    return iam_store.granted(call.body)


def _predefined(name: str) -> Json:
    return {"name": name, "title": name.rpartition("/")[2], "stage": "GA", "etag": "AA=="}


async def _get_role(call: Call) -> Json:
    name = call.url_path
    if not iam_policy.is_role(name):
        raise ApiError(404, f"The role named {name} was not found.")
    return _predefined(name)


async def _list_roles(call: Call) -> Json:  # noqa: ARG001 (they are the same for everybody)
    return {"roles": [_predefined(name) for name in iam_policy.roles()]}


def _role_key(call: Call) -> str:
    return f"iam/projects/{call.path['projectsId']}/roles/{call.path['rolesId']}"


def _custom_role(call: Call) -> Json:
    found = call.store.get(_role_key(call))
    if found is None:
        raise ApiError(404, f"The role named {call.url_path} was not found.")
    return found


async def _create_custom(call: Call) -> Json:
    role_id = str(call.body.get("roleId") or "")
    if not _ROLE_ID.fullmatch(role_id):
        raise ApiError(
            400,
            f'The role_id "{role_id}" is invalid: 3 to 64 letters, figures, periods, underscores.',
            reason="badRequest",
        )
    project = call.path["projectsId"]
    key = f"iam/projects/{project}/roles/{role_id}"
    if key in call.store:
        raise ApiError(409, f"A role named {role_id} in projects/{project} already exists.")
    role: Json = dict(call.body.get("role") or {}) | {"name": f"projects/{project}/roles/{role_id}"}
    role["etag"] = fingerprint(role)
    call.store.put(key, role)
    return role


async def _get_custom(call: Call) -> Json:
    return _custom_role(call)


async def _list_custom(call: Call) -> Json:
    folder = f"iam/projects/{call.path['projectsId']}/roles"
    roles = [body for _, body in call.store.collection(folder)]
    return {"roles": roles} if roles else {}


async def _patch_custom(call: Call) -> Json:
    role = _custom_role(call) | {k: v for k, v in call.body.items() if k not in ("name", "etag")}
    role["etag"] = fingerprint({k: v for k, v in role.items() if k != "etag"})
    call.store.put(_role_key(call), role)
    return role


async def _delete_custom(call: Call) -> Json:
    role = _custom_role(call)
    call.store.delete(_role_key(call))
    return role | {"deleted": True}


_ACCOUNTS: dict[str, Handler] = {
    "create": _create,
    "get": _get,
    "list": _list,
    "patch": _patch,
    "update": _update,
    "delete": _delete,
    "enable": _switch(disabled=False),
    "disable": _switch(disabled=True),
    "getIamPolicy": _get_policy,
    "setIamPolicy": _set_policy,
    "testIamPermissions": _test_permissions,
}
_CUSTOM_ROLES: dict[str, Handler] = {
    "create": _create_custom,
    "get": _get_custom,
    "list": _list_custom,
    "patch": _patch_custom,
    "delete": _delete_custom,
}
SERVICE = Service(
    "iam",
    {
        "iam.roles.get": _get_role,
        "iam.roles.list": _list_roles,
        **{f"iam.projects.serviceAccounts.{name}": handler for name, handler in _ACCOUNTS.items()},
        **{f"iam.projects.roles.{name}": handler for name, handler in _CUSTOM_ROLES.items()},
    },
)
