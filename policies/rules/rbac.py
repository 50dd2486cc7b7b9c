"""Rules about Kubernetes RBAC: roles and bindings."""

from collections.abc import Callable, Iterator
from functools import cache

from policies.rule import advisory, cis, google, kubernetes_docs, mandatory
from policies.subjects import kubernetes
from policies.values import Props, block, entries, text, texts

_GROUP = "rbac.authorization.k8s.io"
ROLES = kubernetes(_GROUP, "Role", "ClusterRole")
BINDINGS = kubernetes(_GROUP, "RoleBinding", "ClusterRoleBinding")
_GOOD_PRACTICE = kubernetes_docs(
    "Role based access control good practices", "concepts/security/rbac-good-practices/"
)
_GKE = google("Best practices for RBAC", "kubernetes-engine/docs/best-practices/rbac")
_FIX = "grant only what is needed; for an operator that needs it, add a waiver"


def _role(*verbs: str, resources: tuple[str, ...], group: str = "", **more: object) -> Props:
    rule = {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs), **more}
    return {"metadata": {"name": "reader", "namespace": "models"}, "rules": [rule]}


def _binding(role: str = "reader", **subject: str) -> Props:
    given = {"kind": "ServiceAccount", "name": "resnet", "namespace": "models"} | subject
    return {
        "metadata": {"name": "reader", "namespace": "models"},
        "roleRef": {"apiGroup": _GROUP, "kind": "ClusterRole", "name": role},
        "subjects": [given],
    }


def _covers(given: list[str], *wanted: str) -> bool:
    return "*" in given or any(map(given.__contains__, wanted))


@cache
def _names(*resources: str) -> frozenset[str]:
    """Return what may stand for one of the resources in a role."""
    parts = [(one, *one.split("/")) for one in resources]
    wildcards = [name for _, kind, *part in parts for name in (f"{kind}/*", f"*/{''.join(part)}")]
    return frozenset({"*", *resources, *wildcards})


def _grants(role: Props, group: str, resource: str, *verbs: str) -> Iterator[Props]:
    """Yield the role's rules that allow one of the verbs on all objects of a resource."""
    wanted = _names(resource)
    for rule in entries(role, "rules"):
        if (
            not wanted.isdisjoint(texts(rule, "resources"))
            and _covers(texts(rule, "apiGroups") or [""], group)
            and _covers(texts(rule, "verbs"), *verbs)
            and not texts(rule, "resourceNames")
        ):
            yield rule


def _names_any(role: Props, *resources: str) -> bool:
    """Whether a rule of the role has one of the resources: most roles have none of a few."""
    wanted = _names(*resources)
    return any(not wanted.isdisjoint(texts(rule, "resources")) for rule in entries(role, "rules"))


def _read_last(rule: Props, key: str, value: str) -> str:
    """Read a value again: a finding has the line of what was read last before its message."""
    found = texts(rule, key)
    return found[found.index(value)]


def _describe(rule: Props) -> str:
    return f"{', '.join(texts(rule, 'verbs'))} on {', '.join(texts(rule, 'resources'))}"


@mandatory(
    ROLES,
    layer="serving",
    severity="high",
    why="A wildcard grants unintended permissions, and those of future Kubernetes versions.",
    fix=_FIX,
    references=(cis("4.1.3"), _GOOD_PRACTICE),
    passing=_role("get", "list", resources=("pods",)),
    failing=_role("*", resources=("pods",)),
)
def roles_name_what_they_grant(role: Props) -> Iterator[str]:
    """A role has no wildcards in API groups, resources, verbs and URLs."""
    for rule in entries(role, "rules"):
        for key in ("apiGroups", "resources", "verbs"):
            if "*" in texts(rule, key):
                described = _describe(rule)
                yield f"{key} is {_read_last(rule, key, '*')} in {described}"
        if "*" in texts(rule, "nonResourceURLs"):
            verbs = ", ".join(texts(rule, "verbs"))
            yield f"nonResourceURLs is {_read_last(rule, 'nonResourceURLs', '*')} for {verbs}"


@mandatory(
    BINDINGS,
    layer="serving",
    severity="critical",
    why="cluster-admin allows everything in the cluster.",
    fix="bind a role with the permissions that the subject needs",
    references=(cis("4.1.1"), _GKE),
    passing=_binding(),
    failing=_binding("cluster-admin"),
)
def bindings_avoid_cluster_admin(binding: Props) -> Iterator[str]:
    """No subject is bound to cluster-admin."""
    if text(binding, "roleRef", "name") == "cluster-admin":
        names = ", ".join(text(one, "name") for one in entries(binding, "subjects"))
        role = text(binding, "roleRef", "name")  # read last, because the message is about it
        yield f"{role} is bound to {names or 'no subject'}"


@mandatory(
    ROLES,
    layer="serving",
    severity="high",
    why="Read access to all Secrets of a namespace gives access to its accounts and databases; "
    "`list` and `watch` also return their contents.",
    fix="list the Secrets in resourceNames, or mount them into the pod that needs them",
    references=(cis("4.1.2"), _GOOD_PRACTICE),
    passing=_role("get", resources=("secrets",), resourceNames=["resnet-token"]),
    failing=_role("list", resources=("secrets",)),
)
def roles_do_not_read_all_secrets(role: Props) -> Iterator[str]:
    """A role reads only Secrets that it lists by name."""
    for rule in _grants(role, "", "secrets", "get", "list", "watch"):
        yield f"it may {_describe(rule)}"


@mandatory(
    ROLES,
    layer="serving",
    severity="critical",
    why="With these verbs an account can gain permissions that it was not granted.",
    fix="remove the verb; bind the required role to the subjects that need it",
    references=(cis("4.1.7"), _GOOD_PRACTICE),
    passing=_role("get", resources=("roles",), group=_GROUP),
    failing=_role("escalate", resources=("roles",), group=_GROUP),
)
def roles_cannot_escalate(role: Props) -> Iterator[str]:
    """A role has none of the verbs `escalate`, `bind` and `impersonate`."""
    for rule in entries(role, "rules"):
        found = {"escalate", "bind", "impersonate"} & set(texts(rule, "verbs"))
        if found and not texts(rule, "resourceNames"):
            yield f"it may {', '.join(sorted(found))} on {', '.join(texts(rule, 'resources'))}"


_SHELLS = {
    "pods/exec": ("create", "get"),
    "pods/attach": ("create", "get"),
    "pods/portforward": ("create", "get"),
    "pods/ephemeralcontainers": ("update", "patch"),
}
"""Subresources, each with the verbs that open a shell or a connection."""


@mandatory(
    ROLES,
    layer="serving",
    severity="high",
    why="A shell in a pod has the pod's identity, files and network access.",
    fix="use `kubectl debug` with a role that is granted temporarily",
    references=(_GOOD_PRACTICE, _GKE),
    passing=_role("get", resources=("pods/log",)),
    failing=_role("create", resources=("pods/exec",)),
)
def roles_open_no_shells(role: Props) -> Iterator[str]:
    """A role does not allow exec, attach, port-forward or containers for debugging."""
    if not _names_any(role, *_SHELLS):
        return
    for resource, verbs in _SHELLS.items():
        for rule in _grants(role, "", resource, *verbs):
            yield f"it may {_describe(rule)}"


_CREATORS: dict[str, tuple[str, ...]] = {
    "": ("pods", "replicationcontrollers"),
    "batch": ("jobs", "cronjobs"),
    "apps": ("deployments", "statefulsets", "daemonsets", "replicasets"),
}


@advisory(
    ROLES,
    layer="serving",
    severity="medium",
    why="A pod can use any service account of its namespace, so creating pods grants all of their "
    "permissions.",
    fix="declare the workloads instead of letting a program create them",
    references=(_GOOD_PRACTICE,),
    passing=_role("get", "list", resources=("pods",)),
    failing=_role("create", resources=("pods",)),
)
def roles_do_not_make_pods(role: Props) -> Iterator[str]:
    """A role does not allow creating pods or workloads."""
    verbs = ("create", "update", "patch")
    if not any(_covers(texts(rule, "verbs"), *verbs) for rule in entries(role, "rules")):
        return
    messages = [
        f"it may {_describe(rule)}"
        for group, resources in _CREATORS.items()
        for resource in resources
        for rule in _grants(role, group, resource, *verbs)
    ]
    yield from dict.fromkeys(messages)


_ESCALATION_PATHS = (
    (
        "",
        "nodes/proxy",
        ("get", "create"),
        "gives access to every kubelet, bypassing the audit log",
    ),
    ("", "serviceaccounts/token", ("create",), "can create tokens of any service account"),
    ("", "persistentvolumes", ("create",), "can mount any path of a node"),
    (
        "",
        "namespaces",
        ("update", "patch"),
        "can lift the Pod Security Standard that a namespace enforces",
    ),
    (
        "certificates.k8s.io",
        "certificatesigningrequests/approval",
        ("update", "patch"),
        "can approve client certificates for any user",
    ),
    ("certificates.k8s.io", "signers", ("approve", "sign"), "can sign any certificate"),
    (
        "admissionregistration.k8s.io",
        "mutatingwebhookconfigurations",
        ("create", "update", "patch"),
        "can change any applied object",
    ),
    (
        "admissionregistration.k8s.io",
        "validatingwebhookconfigurations",
        ("create", "update", "patch"),
        "can read any applied object",
    ),
)
_ESCALATING = tuple(resource for _, resource, _, _ in _ESCALATION_PATHS)


@mandatory(
    ROLES,
    layer="serving",
    severity="high",
    why="Access to these resources allows privilege escalation to cluster administrator.",
    fix=_FIX,
    references=(_GOOD_PRACTICE,),
    passing=_role("get", resources=("nodes",)),
    failing=_role("get", resources=("nodes/proxy",)),
)
def roles_leave_nodes_and_admission_alone(role: Props) -> Iterator[str]:
    """A role cannot bypass RBAC by kubelets, tokens, certificates, webhooks or namespaces."""
    if not _names_any(role, *_ESCALATING):
        return
    for group, resource, verbs, consequence in _ESCALATION_PATHS:
        for rule in _grants(role, group, resource, *verbs):
            if "*" not in texts(rule, "resources"):  # reported by roles-name-what-they-grant
                yield f"it may {_describe(rule)}, which {consequence}"


_EXTENSIONS = (
    (
        "apiextensions.k8s.io",
        "customresourcedefinitions",
        "can change or remove kinds of the whole cluster, with all their objects",
    ),
    (
        "apiregistration.k8s.io",
        "apiservices",
        "can send the requests of an API group to a server of its own",
    ),
)


@advisory(
    ROLES,
    layer="serving",
    severity="medium",
    why="Kinds and API services belong to the whole cluster: who changes them changes other "
    "teams' objects.",
    fix="install definitions when the operator is deployed, or list them in resourceNames",
    references=(_GOOD_PRACTICE,),
    passing=_role("get", resources=("customresourcedefinitions",), group="apiextensions.k8s.io"),
    failing=_role("create", resources=("customresourcedefinitions",), group="apiextensions.k8s.io"),
)
def roles_leave_the_api_alone(role: Props) -> Iterator[str]:
    """A role cannot change custom resource definitions and API services."""
    for group, resource, consequence in _EXTENSIONS:
        for rule in _grants(role, group, resource, "create", "update", "patch", "delete"):
            if "*" not in texts(rule, "resources"):  # reported by roles-name-what-they-grant
                yield f"it may {', '.join(texts(rule, 'verbs'))} {resource}, which {consequence}"


def _bound(binding: Props, is_meant: Callable[[Props], bool]) -> Iterator[tuple[str, Props]]:
    """Yield the role's name with each subject that is meant.

    The role may be unknown, so it is read only for these; and before them, because the messages
    are about the subjects.
    """
    if any(is_meant(one) for one in entries(binding, "subjects")):
        role = text(binding, "roleRef", "name")
        for subject in entries(binding, "subjects"):
            if is_meant(subject):
                yield role, subject


_PUBLIC_SUBJECTS = {
    "system:anonymous": "unauthenticated callers",
    "system:unauthenticated": "unauthenticated callers",
    "system:authenticated": "anyone with a Google account",
    "system:serviceaccounts": "every pod of the cluster",
    "system:masters": "a group that bypasses RBAC",
}


_OWN_BINDINGS = {
    ("system:basic-user", "system:authenticated"),
    ("system:discovery", "system:authenticated"),
    ("system:public-info-viewer", "system:authenticated"),
    ("system:public-info-viewer", "system:unauthenticated"),
    ("system:service-account-issuer-discovery", "system:serviceaccounts"),
}
"""Of those that every API server makes, by role and subject."""


@mandatory(
    BINDINGS,
    layer="serving",
    severity="critical",
    why="On GKE, system:authenticated is anyone with a Google account, in any organization.",
    fix="bind a specific group or service account",
    references=(cis("4.1.8"), cis("4.1.6"), _GKE),
    passing=_binding(kind="Group", name="ml-platform@acme.example"),
    failing=_binding(kind="Group", name="system:authenticated"),
)
def bindings_name_their_subjects(binding: Props) -> Iterator[str]:
    """No role is bound to a system-wide group or to anonymous users."""
    for role, subject in _bound(binding, lambda one: text(one, "name") in _PUBLIC_SUBJECTS):
        name = text(subject, "name")
        if (role, name) in _OWN_BINDINGS:
            continue
        yield f"{role} is bound to {name}: {_PUBLIC_SUBJECTS[name]}"


@mandatory(
    BINDINGS,
    layer="serving",
    severity="medium",
    why="Every pod without an account of its own gets the permissions of the default account.",
    fix="create an account for the pods that need the permission",
    references=(cis("4.1.4"), _GOOD_PRACTICE),
    passing=_binding(),
    failing=_binding(name="default"),
)
def bindings_leave_default_accounts_alone(binding: Props) -> Iterator[str]:
    """No role is bound to a default service account."""
    for role, subject in _bound(binding, _is_default_account):
        namespace = text(subject, "namespace") or text(block(binding, "metadata"), "namespace")
        yield f"{role} is bound to {namespace or 'the'}/default"


def _is_default_account(subject: Props) -> bool:
    return text(subject, "kind") == "ServiceAccount" and text(subject, "name") == "default"


@advisory(
    ROLES,
    layer="serving",
    severity="medium",
    why="With deletecollection one request deletes all objects of a kind.",
    fix="grant `delete` instead",
    references=(_GOOD_PRACTICE,),
    passing=_role("delete", resources=("pods",)),
    failing=_role("deletecollection", resources=("pods",)),
)
def roles_delete_one_by_one(role: Props) -> Iterator[str]:
    """A role does not allow deletecollection."""
    for rule in entries(role, "rules"):
        if "deletecollection" in texts(rule, "verbs"):
            described = _describe(rule)
            _read_last(rule, "verbs", "deletecollection")
            yield f"it may {described}"
