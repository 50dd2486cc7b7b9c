"""Rules about Kubernetes' own permissions: roles, and who is bound to them."""

from collections.abc import Iterator

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
_FIX = "name what is needed; for an operator that cannot do without, write a waiver"


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
    return "*" in given or any(one in given for one in wanted)


def _grants(role: Props, group: str, resource: str, *verbs: str) -> Iterator[Props]:
    """The role's rules that allow one of the verbs on all objects of a resource."""
    kind = resource.partition("/")[0]
    for rule in entries(role, "rules"):
        resources = texts(rule, "resources")
        wanted = (resource, f"{kind}/*", f"*/{resource.partition('/')[2]}")
        is_meant = _covers(texts(rule, "apiGroups") or [""], group) and _covers(resources, *wanted)
        if is_meant and _covers(texts(rule, "verbs"), *verbs) and not texts(rule, "resourceNames"):
            yield rule


def _said(rule: Props) -> str:
    return f"{', '.join(texts(rule, 'verbs'))} on {', '.join(texts(rule, 'resources'))}"


@mandatory(
    ROLES,
    layer="serving",
    severity="high",
    why="A wildcard grants what nobody thought of, and what the next version of Kubernetes brings.",
    fix=_FIX,
    references=(cis("4.1.3"), _GOOD_PRACTICE),
    passing=_role("get", "list", resources=("pods",)),
    failing=_role("*", resources=("pods",)),
)
def roles_name_what_they_grant(role: Props) -> Iterator[str]:
    """A role names its API groups, resources and verbs; it has no wildcard."""
    for rule in entries(role, "rules"):
        for key in ("apiGroups", "resources", "verbs"):
            if "*" in texts(rule, key):
                yield f"{key} is * in {_said(rule) or 'a rule'}"


@mandatory(
    BINDINGS,
    layer="serving",
    severity="critical",
    why="cluster-admin may do everything everywhere, and take every right for itself.",
    fix="bind a role that names what the subject needs",
    references=(cis("4.1.1"), _GKE),
    passing=_binding(),
    failing=_binding("cluster-admin"),
)
def bindings_avoid_cluster_admin(binding: Props) -> Iterator[str]:
    """Nobody is bound to cluster-admin."""
    if text(binding, "roleRef", "name") == "cluster-admin":
        names = ", ".join(text(one, "name") for one in entries(binding, "subjects"))
        yield f"cluster-admin is bound to {names or 'nobody'}"


@mandatory(
    ROLES,
    layer="serving",
    severity="high",
    why="Who can read all Secrets of a namespace can act as every account and open every database "
    "in it; `list` and `watch` show their contents, too.",
    fix="name the Secrets in resourceNames, or mount them into the pod that needs them",
    references=(cis("4.1.2"), _GOOD_PRACTICE),
    passing=_role("get", resources=("secrets",), resourceNames=["resnet-token"]),
    failing=_role("list", resources=("secrets",)),
)
def roles_do_not_read_all_secrets(role: Props) -> Iterator[str]:
    """A role reads no Secrets but those that it names."""
    for rule in _grants(role, "", "secrets", "get", "list", "watch"):
        yield f"it may {_said(rule)}"


@mandatory(
    ROLES,
    layer="serving",
    severity="critical",
    why="With these verbs an account gives itself, or acts with, rights that it was never given.",
    fix="remove the verb; grant the role itself to those who need it",
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


@mandatory(
    ROLES,
    layer="serving",
    severity="high",
    why="A shell in a pod has the pod's identity, its files and its network.",
    fix="let people debug by `kubectl debug` with a role that they ask for when they need it",
    references=(_GOOD_PRACTICE, _GKE),
    passing=_role("get", resources=("pods/log",)),
    failing=_role("create", resources=("pods/exec",)),
)
def roles_open_no_shells(role: Props) -> Iterator[str]:
    """A role starts no process in a pod and attaches to none."""
    for resource in ("pods/exec", "pods/attach", "pods/portforward"):
        for rule in _grants(role, "", resource, "create", "get"):
            yield f"it may {_said(rule)}"


@advisory(
    ROLES,
    layer="serving",
    severity="medium",
    why="A pod runs as any account of its namespace: who can make pods has all their rights.",
    fix="leave the making of pods to Deployments that the platform declares",
    references=(_GOOD_PRACTICE,),
    passing=_role("get", "list", resources=("pods",)),
    failing=_role("create", resources=("pods",)),
)
def roles_do_not_make_pods(role: Props) -> Iterator[str]:
    """A role creates neither pods nor what makes them."""
    makers: dict[str, tuple[str, ...]] = {
        "": ("pods", "replicationcontrollers"),
        "batch": ("jobs", "cronjobs"),
        "apps": ("deployments", "statefulsets", "daemonsets", "replicasets"),
    }
    said = [
        f"it may {_said(rule)}"
        for group, resources in makers.items()
        for resource in resources
        for rule in _grants(role, group, resource, "create", "update", "patch")
    ]
    yield from dict.fromkeys(said)


_NODES_AND_GATES = (
    ("", "nodes/proxy", ("get", "create"), "reaches every kubelet past the audit log"),
    ("", "serviceaccounts/token", ("create",), "mints tokens of any account"),
    (
        "certificates.k8s.io",
        "certificatesigningrequests/approval",
        ("update", "patch"),
        "lets anybody into the cluster",
    ),
    ("certificates.k8s.io", "signers", ("approve", "sign"), "signs whatever it likes"),
    (
        "admissionregistration.k8s.io",
        "mutatingwebhookconfigurations",
        ("create", "update", "patch"),
        "changes whatever anybody applies",
    ),
    (
        "admissionregistration.k8s.io",
        "validatingwebhookconfigurations",
        ("create", "update", "patch"),
        "sees whatever anybody applies",
    ),
)


@mandatory(
    ROLES,
    layer="serving",
    severity="high",
    why="These few resources are ways to become an administrator that do not look like one.",
    fix=_FIX,
    references=(_GOOD_PRACTICE,),
    passing=_role("get", resources=("nodes",)),
    failing=_role("get", resources=("nodes/proxy",)),
)
def roles_leave_nodes_and_admission_alone(role: Props) -> Iterator[str]:
    """A role has no way around RBAC by kubelets, tokens, certificates or webhooks."""
    for group, resource, verbs, consequence in _NODES_AND_GATES:
        for rule in _grants(role, group, resource, *verbs):
            if "*" not in texts(rule, "resources"):  # of which another rule speaks
                yield f"it may {_said(rule)}, which {consequence}"


_EVERYBODY = {
    "system:anonymous": "callers who say nothing of themselves",
    "system:unauthenticated": "callers who say nothing of themselves",
    "system:authenticated": "everybody with a Google account",
    "system:masters": "a group that no rule of RBAC holds back",
}


@mandatory(
    BINDINGS,
    layer="serving",
    severity="critical",
    why="On GKE system:authenticated is everybody with a Google account, of whatever company.",
    fix="bind a group or account of one's own",
    references=(cis("4.1.8"), cis("4.1.6"), _GKE),
    passing=_binding(kind="Group", name="ml-platform@acme.example"),
    failing=_binding(kind="Group", name="system:authenticated"),
)
def bindings_name_their_subjects(binding: Props) -> Iterator[str]:
    """Nothing is bound to everybody."""
    for subject in entries(binding, "subjects"):
        if whom := _EVERYBODY.get(text(subject, "name")):
            yield f"{text(binding, 'roleRef', 'name')} is bound to {subject['name']}: {whom}"


@mandatory(
    BINDINGS,
    layer="serving",
    severity="medium",
    why="What a namespace's default account may do, every pod may that names no account.",
    fix="make an account for the pods that need the right",
    references=(cis("4.1.4"), _GOOD_PRACTICE),
    passing=_binding(),
    failing=_binding(name="default"),
)
def bindings_leave_default_accounts_alone(binding: Props) -> Iterator[str]:
    """Nothing is bound to a default service account."""
    for subject in entries(binding, "subjects"):
        if text(subject, "kind") == "ServiceAccount" and text(subject, "name") == "default":
            namespace = text(subject, "namespace") or text(block(binding, "metadata"), "namespace")
            yield f"{text(binding, 'roleRef', 'name')} is bound to {namespace or 'the'}/default"


@advisory(
    ROLES,
    layer="serving",
    severity="medium",
    why="One request deletes all objects of a kind in a namespace, or in the cluster.",
    fix="grant `delete`, which takes them one by one",
    references=(_GOOD_PRACTICE,),
    passing=_role("delete", resources=("pods",)),
    failing=_role("deletecollection", resources=("pods",)),
)
def roles_delete_one_by_one(role: Props) -> Iterator[str]:
    """A role does not delete whole collections."""
    for rule in entries(role, "rules"):
        if "deletecollection" in texts(rule, "verbs"):
            yield f"it may {_said(rule)}"


_WEBHOOKS = kubernetes(
    "admissionregistration.k8s.io", "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"
)


@advisory(
    _WEBHOOKS,
    layer="serving",
    severity="medium",
    why="A webhook that is ignored when it fails guards nothing against whoever can make it fail.",
    fix="set failurePolicy to Fail, and leave kube-system out by namespaceSelector",
    references=(
        kubernetes_docs(
            "Admission webhook good practices",
            "concepts/cluster-administration/admission-webhooks-good-practices/",
        ),
    ),
    passing={"webhooks": [{"name": "a.example.com", "failurePolicy": "Fail"}]},
    failing={"webhooks": [{"name": "a.example.com", "failurePolicy": "Ignore"}]},
)
def webhooks_fail_closed(configuration: Props) -> Iterator[str]:
    """An admission webhook that cannot be reached refuses, and does not let pass."""
    for webhook in entries(configuration, "webhooks"):
        if text(webhook, "failurePolicy") == "Ignore":
            yield f"{text(webhook, 'name')} has failurePolicy Ignore"
