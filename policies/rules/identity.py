"""Rules about who may do what: IAM grants and service account keys."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from policies.rule import google, mandatory
from policies.subjects import Resource, Selector, gcp, pattern
from policies.values import OddInputError, Props, entries, text, texts

PUBLIC = {"allUsers", "allAuthenticatedUsers"}
BASIC_ROLES = {"roles/owner", "roles/editor", "roles/viewer"}


@dataclass(frozen=True, slots=True)
class Grant:
    """A role for members, wherever it is written."""

    role: str
    members: tuple[str, ...]


def grants(resource: Resource) -> Iterable[Grant]:
    """The grants of an IAM member, binding, policy or access control entry."""
    props, kind = resource.props, resource.type.rpartition(":")[2]
    if kind.endswith("IAMPolicy"):
        yield from _of_policy(text(props, "policyData"))
    elif kind.endswith("AccessControl"):
        yield Grant(text(props, "role"), (text(props, "entity"),))
    else:
        member = props.get("member")
        members = [text(props, "member")] if member is not None else texts(props, "members")
        yield Grant(text(props, "role"), tuple(members))


def _of_policy(document: str) -> Iterator[Grant]:
    try:
        policy = json.loads(document)
    except json.JSONDecodeError as error:
        raise OddInputError(f"policyData should be an IAM policy in JSON: {error}") from None
    if not isinstance(policy, dict):
        raise OddInputError("policyData should be an IAM policy")
    for binding in entries(policy, "bindings"):
        yield Grant(text(binding, "role"), tuple(texts(binding, "members")))


_TYPES = pattern(
    r"gcp:[^:]+:\w*(IAMMember|IamMember|IAMBinding|IamBinding|IAMPolicy|IamPolicy|AccessControl)",
    example="gcp:projects/iAMMember:IAMMember",
    described="gcp: every IAMMember, IAMBinding, IAMPolicy and access control entry",
)
GRANTS = Selector(_TYPES.matches, _TYPES.example, _TYPES.types, grants)


@mandatory(
    GRANTS,
    layer="every",
    severity="critical",
    why="allUsers is everyone on the internet, allAuthenticatedUsers everyone with an account.",
    fix="grant the role to a group or a service account",
    references=(google("IAM principals", "iam/docs/overview#concepts_related_identity"),),
    passing={"role": "roles/logging.logWriter", "member": "serviceAccount:a@b.example"},
    failing={"role": "roles/run.invoker", "member": "allUsers"},
)
def grants_reach_no_public_principals(grant: Grant) -> Iterator[str]:
    """Nothing is granted to everyone."""
    for member in grant.members:
        if member in PUBLIC:
            yield f"{grant.role or 'a role'} is granted to {member}"


@mandatory(
    GRANTS,
    layer="every",
    severity="high",
    why="Basic roles span every service of the project: an editor of one thing edits all.",
    fix="grant the predefined roles that the member needs",
    references=(google("Basic roles", "iam/docs/roles-overview#basic"),),
    passing={"role": "roles/monitoring.viewer", "member": "serviceAccount:a@b.example"},
    failing=(
        Resource(
            "gcp:projects/iAMBinding:IAMBinding",
            {"role": "roles/editor", "members": ["group:ml@b.example"]},
        ),
    ),
)
def grants_avoid_basic_roles(grant: Grant) -> Iterator[str]:
    """No grant is of a basic role."""
    if grant.role in BASIC_ROLES:
        yield f"{grant.role} is granted to {', '.join(grant.members) or 'nobody'}"


@mandatory(
    gcp("serviceaccount/key:Key"),
    layer="every",
    severity="critical",
    why="A key is a password that lives for years, is copied anywhere and names nobody.",
    fix="use workload identity in the cluster and workload identity federation outside it",
    references=(
        google("Service account keys", "iam/docs/best-practices-for-managing-service-account-keys"),
    ),
    passing=(Resource("gcp:serviceaccount/account:Account", {"accountId": "resnet"}),),
    failing={"serviceAccountId": "resnet"},
)
def service_accounts_have_no_keys(key: Props) -> Iterator[str]:  # noqa: ARG001 (that it is there is enough)
    """No service account has a key."""
    yield "a service account key is made"
