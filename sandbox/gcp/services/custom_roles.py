"""Custom roles of a project: a deleted one is marked, and its id stays taken.

It can be undeleted for seven days; its id is free thirty days after that:
https://cloud.google.com/iam/docs/creating-custom-roles#deleting-custom-role.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from sandbox.gcp.collections import Collection, Messages
from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import failed_precondition
from sandbox.gcp.service import Call, now
from sandbox.well_known_types import timestamp

_DAYS_TO_UNDELETE, _DAYS_TAKEN = 7, 37


def _role_id(call: Call) -> str:
    return str(call.body.get("roleId") or "")


def _taken(call: Call, role_id: str) -> str:
    """The key under which the id of a role is noted that is deleted for good."""
    return f"iam/projects/{call.path['projectsId']}/takenRoleIds/{role_id}"


def _delete_for_good(call: Call) -> None:
    """Delete the roles whose seven days are over."""
    limit = timestamp(datetime.now(UTC) - timedelta(days=_DAYS_TO_UNDELETE))
    folder = f"iam/projects/{call.path['projectsId']}/roles"
    for role_id, role in list(call.store.collection(folder)):
        if role.get("deleted") and role["_deleted"] <= limit:
            call.store.put(_taken(call, role_id), {"_deleted": role["_deleted"]})
            call.store.delete(f"{folder}/{role_id}")


def _refuse_taken(call: Call) -> None:
    role_id = _role_id(call)
    role = call.store.get(CUSTOM_ROLES.key(f"{call.url_path}/{role_id}")) or {}
    gone = call.store.get(_taken(call, role_id)) or {}
    limit = timestamp(datetime.now(UTC) - timedelta(days=_DAYS_TAKEN))
    if role.get("deleted") or gone.get("_deleted", "") > limit:
        raise failed_precondition(
            f"You can't create a role_id ({role_id}) which has been marked for deletion."
        )


def _complete(_: Call, role: Json, old: Json | None) -> None:
    if old and old.get("deleted"):
        raise failed_precondition(f"The role named {old['name']} is marked for deletion.")
    role.pop("deleted", None)  # ignored, as documented


async def _delete(call: Call) -> Json:
    _delete_for_good(call)
    role = CUSTOM_ROLES.load(call.state, call.url_path)
    _complete(call, {}, role)
    return _put(call, role | {"deleted": True, "_deleted": now()})


async def _undelete(call: Call) -> Json:
    _delete_for_good(call)
    role = CUSTOM_ROLES.target(call)
    if not role.get("deleted"):
        raise failed_precondition(f"The role named {role['name']} is not deleted.")
    return _put(call, {key: one for key, one in role.items() if key not in ("deleted", "_deleted")})


def _put(call: Call, role: Json) -> Json:
    CUSTOM_ROLES.stamp(role)
    call.store.put(CUSTOM_ROLES.key(role["name"]), role)
    return CUSTOM_ROLES.shown(call.state, role)


def _is_listed(call: Call, role: Json) -> bool:
    return not role.get("deleted") or call.one("showDeleted") == "true"


CUSTOM_ROLES = Collection(
    service="iam",
    path="projects.roles",
    noun="role",
    messages=Messages(
        missing="The role named {name} was not found.",
        exists="A role named {id} in projects/{project} already exists.",
        bad_id='The role_id "{id}" is invalid: 3 to 64 letters, figures, periods, underscores.',
    ),
    verbs=("create", "get", "list", "patch"),
    new_id=_role_id,
    id_pattern=re.compile(r"[a-zA-Z0-9_.]{3,64}"),
    create_field="role",
    without_mask="given",
    etag=True,
    check=_delete_for_good,
    before_create=_refuse_taken,
    complete=_complete,
    listed=_is_listed,
    custom={"delete": _delete, "undelete": _undelete},
)
