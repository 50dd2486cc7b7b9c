"""Rules about who may do what: IAM grants and service account keys."""

import json
import re
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


_ACTING = {
    "roles/iam.serviceAccountUser",
    "roles/iam.serviceAccountTokenCreator",
    "roles/iam.workloadIdentityUser",
    "roles/iam.serviceAccountAdmin",
    "roles/iam.serviceAccountKeyAdmin",
}


@mandatory(
    gcp("projects/iAMMember:IAMMember", "projects/iAMBinding:IAMBinding").seen_as(grants),
    layer="every",
    severity="high",
    why="Granted on the project, the role lets its member act as every service account of it, the "
    "most powerful among them.",
    fix="grant the role on the one service account that is meant",
    references=(google("Service account permissions", "iam/docs/service-account-permissions"),),
    passing={"role": "roles/logging.logWriter", "member": "serviceAccount:a@b.example"},
    failing={"role": "roles/iam.serviceAccountUser", "member": "serviceAccount:a@b.example"},
)
def accounts_are_not_lent_by_the_project(grant: Grant) -> Iterator[str]:
    """No grant on a project lets its member act as any service account."""
    if grant.role in _ACTING:
        yield f"{grant.role} is granted on the project to {', '.join(grant.members) or 'nobody'}"


_BOUND = re.compile(r"serviceAccount:[a-z0-9:.\-]+\.svc\.id\.goog\[[a-z0-9-]+/[a-z0-9.-]+\]")
_FEDERATED = re.compile(r"principal://iam\.googleapis\.com/.+/subject/.+")
_OUTSIDE = re.compile(r"principalSet://iam\.googleapis\.com/.+/attribute\.[a-z_]+/.+")


@mandatory(
    gcp("serviceaccount/iAMMember:IAMMember", "serviceaccount/iAMBinding:IAMBinding").seen_as(
        grants
    ),
    layer="serving",
    severity="high",
    why="A binding to a whole pool lets every pod of every cluster in the project be the account.",
    fix="bind PROJECT.svc.id.goog[NAMESPACE/ACCOUNT] (the serving layer does)",
    references=(google("Workload identity", "kubernetes-engine/docs/how-to/workload-identity"),),
    passing={
        "role": "roles/iam.workloadIdentityUser",
        "member": "serviceAccount:acme-ml-dev.svc.id.goog[models/resnet]",
    },
    failing={
        "role": "roles/iam.workloadIdentityUser",
        "member": "principalSet://iam.googleapis.com/projects/1/locations/global/workloadIdentity"
        "Pools/acme-ml-dev.svc.id.goog/*",
    },
)
def workload_identity_names_one_account(grant: Grant) -> Iterator[str]:
    """A binding of workload identity names one namespace and one account in it."""
    for member in grant.members if grant.role == "roles/iam.workloadIdentityUser" else ():
        if not any(one.fullmatch(member) for one in (_BOUND, _FEDERATED, _OUTSIDE)):
            yield f"{member} is more than one namespace and account"


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
