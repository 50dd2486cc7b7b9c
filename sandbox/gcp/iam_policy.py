"""Allow policies: validation and canonical form of IAM bindings.

Pure functions. They refuse what Google refuses: unknown types of members, service accounts and
workload identity pools that do not exist, unknown roles, conditions in a policy of a version below
3. Permissions are not evaluated: every request is allowed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from sandbox.gcp import iam_roles

Policy = dict[str, Any]
EMPTY_ETAG = "ACAB"
"""Google's etag of a policy that was never set."""

_KINDS = frozenset({"user", "serviceAccount", "group", "domain"})
_ANYONE = frozenset({"allUsers", "allAuthenticatedUsers"})
_CONVENIENCE = frozenset({"projectOwner", "projectEditor", "projectViewer"})
_FEDERATED = frozenset({"principal", "principalSet"})
_EMAIL = re.compile(r"[^@\s\[\]]+@[^@\s\[\]]+\.[^@\s\[\]]+")
_POOL = re.compile(r"(?P<pool>[a-z0-9.:-]+\.svc\.id\.goog)\[(?P<namespace>[^/]+)/(?P<account>.+)\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Which identities exist, for the members of a policy."""

    service_account_exists: Callable[[str], bool]
    """Given an e-mail address. True for addresses that the sandbox cannot know."""
    identity_pool_exists: Callable[[str], bool]


class PolicyError(ValueError):
    """An invalid policy; Google answers 400 INVALID_ARGUMENT."""


def _check_member(member: str, known: Known) -> None:
    if member in _ANYONE or member.startswith("deleted:"):
        return
    kind, _, identity = member.partition(":")
    if kind in _FEDERATED and identity:
        return
    if kind not in _KINDS | _CONVENIENCE or not identity:
        raise PolicyError(
            f"The member {member} is of an unknown type. Please set a valid type prefix for the "
            "member."
        )
    if kind == "serviceAccount":
        _check_service_account(identity, known)
    elif kind in ("user", "group") and not _EMAIL.fullmatch(identity):
        raise PolicyError(f"Invalid member: {member} is not an e-mail address.")


def _check_service_account(identity: str, known: Known) -> None:
    workload = _POOL.fullmatch(identity)
    if workload is not None:
        if not known.identity_pool_exists(workload["pool"]):
            raise PolicyError(
                f"Identity Pool does not exist ({workload['pool']}). Please check that you "
                "specified a valid resource name as returned in the `name` attribute in the "
                "configuration API."
            )
    elif not _EMAIL.fullmatch(identity):
        raise PolicyError(f"Invalid service account ({identity}).")
    elif not known.service_account_exists(identity):
        raise PolicyError(f"Service account {identity} does not exist.")


def _condition(binding: Policy) -> str:
    return json.dumps(binding.get("condition") or {}, sort_keys=True)


def complete(policy: Policy, known: Known) -> Policy:
    """Validate a policy; merge and sort its bindings, and drop its etag. Raises PolicyError."""
    merged: dict[tuple[str, str], Policy] = {}
    for binding in policy.get("bindings") or []:
        role = str(binding.get("role") or "")
        members = binding.get("members") or []
        if not role:
            raise PolicyError("A binding must have a role.")
        if not iam_roles.is_role(role):
            raise PolicyError(f"Role {role} is not supported for this resource.")
        for member in members:
            _check_member(member, known)
        if not members:
            continue
        entry = merged.setdefault((role, _condition(binding)), {"role": role, "members": []})
        entry["members"] = sorted({*entry["members"], *members})
        if binding.get("condition"):
            entry["condition"] = binding["condition"]
    bindings = [merged[key] for key in sorted(merged)]
    conditional = any("condition" in binding for binding in bindings)
    if conditional and int(policy.get("version") or 0) < 3:
        raise PolicyError("The policy has conditions: its version must be 3.")
    result: Policy = {"version": 3 if conditional else 1}
    if bindings:
        result["bindings"] = bindings
    if policy.get("auditConfigs"):
        result["auditConfigs"] = policy["auditConfigs"]
    return result


def etag(policy: Policy, generation: int) -> str:
    """The etag of a policy. It changes with every generation."""
    text = json.dumps([policy, generation], sort_keys=True)
    return base64.b64encode(hashlib.sha256(text.encode()).digest()[:8]).decode()


def members(policy: Policy) -> Iterable[str]:
    """All members of all bindings."""
    for binding in policy.get("bindings") or []:
        yield from binding["members"]


def without_account(policy: Policy, email: str, unique_id: str) -> Policy:
    """The policy with a deleted service account's members marked `deleted:`, as Google does."""
    old, new = f"serviceAccount:{email}", f"deleted:serviceAccount:{email}?uid={unique_id}"
    bindings = [
        binding
        | {"members": sorted(new if member == old else member for member in binding["members"])}
        for binding in policy.get("bindings") or []
    ]
    return policy | ({"bindings": bindings} if bindings else {})
