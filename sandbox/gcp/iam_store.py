"""The allow policies of all resources, whichever service they belong to.

A policy is kept under the resource's full name (`cloudresourcemanager/projects/p`,
`iam/projects/p/serviceAccounts/a@…`, `storage/b/bucket`). What may stand in one is `iam_policy`'s
matter.
"""

from __future__ import annotations

from typing import Any

from sandbox.gcp import iam_policy
from sandbox.gcp.errors import ApiError
from sandbox.gcp.iam_policy import Policy, PolicyError, World
from sandbox.gcp.service import State

_PREFIX = "policies"
_OWN_DOMAIN = ".iam.gserviceaccount.com"


def _key(resource: str) -> str:
    return f"{_PREFIX}/{resource}"


def _world(state: State) -> World:
    def account_exists(email: str) -> bool:
        _, _, domain = email.partition("@")
        project = domain.removesuffix(_OWN_DOMAIN)
        folder = f"iam/projects/{project}/serviceAccounts"
        if not domain.endswith(_OWN_DOMAIN) or not is_known_project(state, project):
            return True  # Google's own agents, and projects that the sandbox knows nothing of
        return f"{folder}/{email}" in state.store

    def pool_exists(pool: str) -> bool:
        return f"iam/identityPools/{pool}" in state.store

    return World(service_account_exists=account_exists, identity_pool_exists=pool_exists)


def is_known_project(state: State, project: str) -> bool:
    """Whether the project is one that the sandbox has seen (and not some other one of Google's)."""
    return f"cloudresourcemanager/projects/{project}" in state.store


def make_identity_pool(state: State, pool: str) -> None:
    """Remember a workload identity pool: it stays when the cluster that brought it is gone."""
    state.store.put(f"iam/identityPools/{pool}", {"name": pool})


def get(state: State, resource: str, default: Policy | None = None) -> Policy:
    """Return a resource's policy, with its etag."""
    kept = state.store.get(_key(resource))
    if kept is None:
        return {"etag": iam_policy.EMPTY_ETAG} | (default or {})
    policy: Policy = dict(kept["policy"])
    return policy | {"etag": iam_policy.etag(policy, kept["generation"])}


def put(state: State, resource: str, policy: Policy, default: Policy | None = None) -> Policy:
    """Replace a resource's policy; refused where the etag is stale or the policy wrong."""
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
        complete = iam_policy.complete(policy, _world(state))
    except PolicyError as error:
        raise ApiError(400, str(error), reason="badRequest") from None
    _write(state, resource, complete)
    return get(state, resource)


def _write(state: State, resource: str, policy: Policy) -> None:
    kept: dict[str, Any] = state.store.get(_key(resource)) or {"generation": 0}
    state.store.put(_key(resource), {"policy": policy, "generation": int(kept["generation"]) + 1})


def delete(state: State, resource: str) -> None:
    """Forget the policy of a resource that is gone."""
    state.store.delete(_key(resource))


def forget_account(state: State, email: str, unique_id: str) -> None:
    """Mark a deleted service account in every policy that names it."""
    member = f"serviceAccount:{email}"
    for key, kept in list(state.store.below(_PREFIX)):
        if member in iam_policy.members(kept["policy"]):
            fresh = iam_policy.without_account(kept["policy"], email, unique_id)
            _write(state, key.removeprefix(f"{_PREFIX}/"), fresh)


def granted(body: Policy) -> Policy:
    """Answer testIamPermissions: here everybody may do everything."""
    permissions = body.get("permissions") or []
    return {"permissions": permissions} if permissions else {}
