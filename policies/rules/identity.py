"""Rules about IAM grants and service account keys."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from policies.rule import google, mandatory
from policies.subjects import Resource, Selector, gcp, pattern
from policies.values import MalformedInputError, Props, entries, text, texts

PUBLIC = {"allUsers", "allAuthenticatedUsers"}
BASIC_ROLES = {"roles/owner", "roles/editor", "roles/viewer"}


@dataclass(frozen=True, slots=True)
class Grant:
    """A role granted to members, from any kind of IAM resource."""

    role: str
    members: tuple[str, ...]


def grants(resource: Resource) -> Iterable[Grant]:
    """View an IAM member, binding, policy, access control entry or list of them as grants."""
    props, kind = resource.props, resource.type.rpartition(":")[2]
    if kind.endswith(("IAMPolicy", "IamPolicy")):
        yield from _of_policy(text(props, "policyData"))
    elif kind.endswith("ACL"):
        yield from _of_list(props)
    elif kind == "DatasetAccess":
        yield Grant(text(props, "role"), (text(props, "specialGroup") or text(props, "iamMember"),))
    elif kind.endswith("AccessControl"):
        yield Grant(text(props, "role"), (text(props, "entity"),))
    else:
        member = props.get("member")
        members = [text(props, "member")] if member is not None else texts(props, "members")
        yield Grant(text(props, "role"), tuple(members))


def _of_list(props: Props) -> Iterator[Grant]:
    """Yield the grants of a list of access control entries of Cloud Storage."""
    for one in texts(props, "roleEntities"):
        role, _, entity = one.partition(":")
        yield Grant(role, (entity,))
    predefined = text(props, "predefinedAcl")
    if predefined.startswith("public"):
        yield Grant(predefined, ("allUsers",))
    elif predefined.startswith("authenticated"):
        yield Grant(predefined, ("allAuthenticatedUsers",))


def _of_policy(document: str) -> Iterator[Grant]:
    try:
        policy = json.loads(document)
    except json.JSONDecodeError as error:
        raise MalformedInputError(f"policyData should be an IAM policy in JSON: {error}") from None
    if not isinstance(policy, dict):
        raise MalformedInputError("policyData should be an IAM policy")
    for binding in entries(policy, "bindings"):
        yield Grant(text(binding, "role"), tuple(texts(binding, "members")))


_TYPES = pattern(
    r"gcp:[^:]+:\w*(IAMMember|IamMember|IAMBinding|IamBinding|IAMPolicy|IamPolicy"
    r"|AccessControl|ACL|DatasetAccess)",
    example="gcp:projects/iAMMember:IAMMember",
    described="gcp: every IAMMember, IAMBinding, IAMPolicy and access control entry",
)
GRANTS = Selector(_TYPES.matches, _TYPES.example, _TYPES.types, grants)


@mandatory(
    GRANTS,
    layer="every",
    severity="critical",
    why="allUsers is anyone on the internet; allAuthenticatedUsers, anyone with a Google account.",
    fix="grant the role to a group or a service account",
    references=(google("IAM principals", "iam/docs/overview#concepts_related_identity"),),
    passing={"role": "roles/logging.logWriter", "member": "serviceAccount:a@b.example"},
    failing={"role": "roles/run.invoker", "member": "allUsers"},
)
def grants_reach_no_public_principals(grant: Grant) -> Iterator[str]:
    """No role is granted to `allUsers` or `allAuthenticatedUsers`."""
    for member in grant.members:
        if member in PUBLIC:
            yield f"{grant.role or 'a role'} is granted to {member}"


@mandatory(
    GRANTS,
    layer="every",
    severity="high",
    why="Basic roles grant access to every service of the project.",
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
    """No basic role (owner, editor, viewer) is granted."""
    if grant.role in BASIC_ROLES:
        yield f"{grant.role} is granted to {', '.join(grant.members) or 'no member'}"


_IMPERSONATION_ROLES = {
    "roles/iam.serviceAccountUser",
    "roles/iam.serviceAccountTokenCreator",
    "roles/iam.workloadIdentityUser",
    "roles/iam.serviceAccountAdmin",
    "roles/iam.serviceAccountKeyAdmin",
}


_HIERARCHY = pattern(
    r"gcp:(projects|folder|organizations)/\w+:(IAM|Iam)(Member|Binding|Policy)",
    example="gcp:projects/iAMMember:IAMMember",
    described="gcp: IAMMember, IAMBinding and IAMPolicy of projects, folders and organizations",
).with_view(grants)


@mandatory(
    _HIERARCHY,
    layer="every",
    severity="high",
    why="Granted on a project, folder or organization, the role lets its member act as every "
    "service account in it.",
    fix="grant the role on the one service account that needs it",
    references=(google("Service account permissions", "iam/docs/service-account-permissions"),),
    passing={"role": "roles/logging.logWriter", "member": "serviceAccount:a@b.example"},
    failing={"role": "roles/iam.serviceAccountUser", "member": "serviceAccount:a@b.example"},
)
def service_account_roles_are_not_granted_on_the_project(grant: Grant) -> Iterator[str]:
    """No role to act as a service account is granted on a project, folder or organization."""
    if grant.role in _IMPERSONATION_ROLES:
        members = ", ".join(grant.members) or "no member"
        yield f"{grant.role} is granted on the whole of it to {members}"


_WORKLOAD_IDENTITY = re.compile(
    r"serviceAccount:[a-z0-9:.\-]+\.svc\.id\.goog\[[a-z0-9-]+/[a-z0-9.-]+\]"
)
_FEDERATED = re.compile(r"principal://iam\.googleapis\.com/.+/subject/.+")
_FEDERATED_SET = re.compile(r"principalSet://iam\.googleapis\.com/.+/attribute\.[a-z_]+/.+")


@mandatory(
    gcp("serviceaccount/iAMMember:IAMMember", "serviceaccount/iAMBinding:IAMBinding").with_view(
        grants
    ),
    layer="serving",
    severity="high",
    why="A binding to a whole pool lets every pod of every cluster in the project use the account.",
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
    """A workload identity binding names one namespace and one Kubernetes service account."""
    for member in grant.members if grant.role == "roles/iam.workloadIdentityUser" else ():
        if not any(
            one.fullmatch(member) for one in (_WORKLOAD_IDENTITY, _FEDERATED, _FEDERATED_SET)
        ):
            yield f"{member} matches more than one Kubernetes service account"


@mandatory(
    gcp("serviceaccount/key:Key"),
    layer="every",
    severity="critical",
    why="A service account key is a long-lived, easily copied credential that identifies no user.",
    fix="use workload identity in the cluster and workload identity federation outside it",
    references=(
        google("Service account keys", "iam/docs/best-practices-for-managing-service-account-keys"),
    ),
    passing=(Resource("gcp:serviceaccount/account:Account", {"accountId": "resnet"}),),
    failing={"serviceAccountId": "resnet"},
)
def service_accounts_have_no_keys(key: Props) -> Iterator[str]:  # noqa: ARG001 (any key is a violation)
    """Service accounts have no keys."""
    yield "the stack declares a service account key"
