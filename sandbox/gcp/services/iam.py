"""The emulated IAM API: service accounts, their policies, and roles. Keys are not emulated.

Service accounts do not use the collection engine: they are found by e-mail address or unique id,
also in project `-`, and a patch answers with the changed fields only.
"""

from __future__ import annotations

import re
import secrets

from sandbox.gcp import field_masks, iam_roles, iam_store
from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError
from sandbox.gcp.service import Call, Handler, Service, State, fingerprint
from sandbox.gcp.services import cloudresourcemanager
from sandbox.gcp.services.custom_roles import CUSTOM_ROLES

_ACCOUNT_ID = re.compile(r"[a-z](?:[-a-z0-9]{4,28}[a-z0-9])")
_MUTABLE = frozenset({"description", "displayName"})


def _folder(project: str) -> str:
    return f"iam/projects/{project}/serviceAccounts"


def _unknown() -> ApiError:
    return ApiError(404, "Unknown service account")


def find(state: State, project: str, wanted: str) -> Json:
    """A service account by e-mail address or unique id; `-` is any project. Raises ApiError 404."""
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
    answer: Json = {"name": account["name"]}
    for name in _mask(call):
        if name not in _MUTABLE:
            raise ApiError(
                400, f"Invalid update mask: {name} cannot be changed.", reason="badRequest"
            )
        account[name] = given.get(name) or ""
        answer[name] = account[name]
    _save(call.state, account)
    # Google answers with the changed fields only.
    return _shown(answer)


def _mask(call: Call) -> list[str]:
    try:
        return field_masks.paths(str(call.body.get("updateMask") or ""))
    except ValueError as error:
        raise ApiError(400, f"Invalid update mask: {error}", reason="badRequest") from None


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


def _policy_key(call: Call) -> str:
    return f"iam/{_account(call)['name']}"


def _predefined(name: str) -> Json:
    return {"name": name, "title": name.rpartition("/")[2], "stage": "GA", "etag": "AA=="}


async def _get_role(call: Call) -> Json:
    name = call.url_path
    if not iam_roles.is_role(name):
        raise ApiError(404, f"The role named {name} was not found.")
    return _predefined(name)


async def _list_roles(call: Call) -> Json:  # noqa: ARG001 (a handler)
    return {"roles": [_predefined(name) for name in iam_roles.roles()]}


_ACCOUNTS: dict[str, Handler] = {
    "create": _create,
    "get": _get,
    "list": _list,
    "patch": _patch,
    "update": _update,
    "delete": _delete,
    "enable": _switch(disabled=False),
    "disable": _switch(disabled=True),
    **iam_store.handlers(_policy_key),
}
SERVICE = Service(
    "iam",
    {
        "iam.roles.get": _get_role,
        "iam.roles.list": _list_roles,
        **{f"iam.projects.serviceAccounts.{name}": handler for name, handler in _ACCOUNTS.items()},
        **CUSTOM_ROLES.handlers(),
    },
)
