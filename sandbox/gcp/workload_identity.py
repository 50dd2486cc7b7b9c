"""Tokens of service accounts by workload identity, and what IAM allows their owners.

Any other token belongs to the sandbox's user, who may do everything.
"""

from __future__ import annotations

import base64

from sandbox.gcp import iam_store
from sandbox.gcp.errors import ApiError
from sandbox.gcp.iam_policy import Policy
from sandbox.gcp.service import State

_PREFIX = "ya29.sandbox."
_USER_ROLE = "roles/iam.workloadIdentityUser"


def token(state: State, account: str, member: str) -> str:
    """A token of a service account for a Kubernetes one. Raises ApiError 403 without the right."""
    project = account.partition("@")[2].removesuffix(".iam.gserviceaccount.com")
    policy = iam_store.get(state, f"iam/projects/{project}/serviceAccounts/{account}")
    if not _has(policy, {_USER_ROLE}, member):
        raise ApiError(
            403,
            "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not "
            "exist).",
            status="PERMISSION_DENIED",
        )
    return _PREFIX + base64.urlsafe_b64encode(account.encode()).decode()


def require(state: State, authorization: str, project: str, roles: set[str], action: str) -> None:
    """Raise ApiError 403 if the bearer is a service account without any of `roles`."""
    given = authorization.partition(" ")[2].strip()
    if not given.startswith(_PREFIX):
        return
    account = base64.urlsafe_b64decode(given.removeprefix(_PREFIX)).decode()
    policy = iam_store.get(state, f"cloudresourcemanager/projects/{project}")
    if not _has(policy, roles, f"serviceAccount:{account}"):
        raise ApiError(
            403,
            f"Permission {action} denied (or the resource may not exist).",
            status="PERMISSION_DENIED",
        )


def _has(policy: Policy, roles: set[str], member: str) -> bool:
    return any(
        binding["role"] in roles and member in binding.get("members", [])
        for binding in policy.get("bindings", [])
    )
