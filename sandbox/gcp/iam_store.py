"""The allow policies of all resources of all services, and the three IAM methods on them.

A policy is stored under the resource's key (`cloudresourcemanager/projects/p`,
`iam/projects/p/serviceAccounts/a@…`, `storage/b/bucket`). `iam_policy` validates its content.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.gcp import iam_policy
from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError
from sandbox.gcp.iam_policy import Known, Policy, PolicyError
from sandbox.gcp.service import Call, Handler, State

_PREFIX = "policies"
_OWN_DOMAIN = ".iam.gserviceaccount.com"


def _key(resource: str) -> str:
    return f"{_PREFIX}/{resource}"


def _known(state: State) -> Known:
    def account_exists(email: str) -> bool:
        _, _, domain = email.partition("@")
        project = domain.removesuffix(_OWN_DOMAIN)
        folder = f"iam/projects/{project}/serviceAccounts"
        if not domain.endswith(_OWN_DOMAIN) or not is_known_project(state, project):
            return True  # Google's own service agents, and accounts of unknown projects
        return f"{folder}/{email}" in state.store

    def pool_exists(pool: str) -> bool:
        return f"iam/identityPools/{pool}" in state.store

    return Known(service_account_exists=account_exists, identity_pool_exists=pool_exists)


def is_known_project(state: State, project: str) -> bool:
    """Whether a request has named the project before."""
    return f"cloudresourcemanager/projects/{project}" in state.store


def make_identity_pool(state: State, pool: str) -> None:
    """Record a workload identity pool. It outlives the cluster that created it."""
    state.store.put(f"iam/identityPools/{pool}", {"name": pool})


def get(state: State, resource: str, default: Policy | None = None) -> Policy:
    """Return a resource's policy, with its etag."""
    kept = state.store.get(_key(resource))
    if kept is None:
        return {"etag": iam_policy.EMPTY_ETAG} | (default or {})
    policy: Policy = dict(kept["policy"])
    return policy | {"etag": iam_policy.etag(policy, kept["generation"])}


def put(state: State, resource: str, policy: Policy, default: Policy | None = None) -> Policy:
    """Replace a resource's policy. Raises ApiError for a stale etag or an invalid policy."""
    given = policy.get("etag")
    if given and given != get(state, resource, default)["etag"]:
        raise ApiError(
            409,
            "There were concurrent policy changes. Please retry the whole read-modify-write with "
            "exponential backoff.",
            status="ABORTED",
            reason="aborted",
        )
    try:
        complete = iam_policy.complete(policy, _known(state))
    except PolicyError as error:
        raise ApiError(400, str(error), reason="badRequest") from None
    _write(state, resource, complete)
    return get(state, resource)


def _write(state: State, resource: str, policy: Policy) -> None:
    kept: dict[str, Any] = state.store.get(_key(resource)) or {"generation": 0}
    state.store.put(_key(resource), {"policy": policy, "generation": int(kept["generation"]) + 1})


def delete(state: State, resource: str) -> None:
    """Delete the policy of a deleted resource."""
    state.store.delete(_key(resource))


def forget_account(state: State, email: str, unique_id: str) -> None:
    """Mark a deleted service account in every policy that names it."""
    member = f"serviceAccount:{email}"
    for key, kept in list(state.store.below(_PREFIX)):
        if member in iam_policy.members(kept["policy"]):
            fresh = iam_policy.without_account(kept["policy"], email, unique_id)
            _write(state, key.removeprefix(f"{_PREFIX}/"), fresh)


def handlers(key: Callable[[Call], str], default: Policy | None = None) -> dict[str, Handler]:
    """The three IAM methods of a resource, by name.

    `key` answers with the resource's key in the store, and raises ApiError where it is missing.
    Every permission is granted: the emulator denies nobody.
    """

    async def get_policy(call: Call) -> Json:
        return get(call.state, key(call), default)

    async def set_policy(call: Call) -> Json:
        return put(call.state, key(call), call.body.get("policy") or {}, default)

    async def test_permissions(call: Call) -> Json:
        key(call)
        permissions = call.body.get("permissions") or []
        return {"permissions": permissions} if permissions else {}

    return {
        "getIamPolicy": get_policy,
        "setIamPolicy": set_policy,
        "testIamPermissions": test_permissions,
    }
