"""Rules about pods' service accounts and their tokens."""

from collections.abc import Iterator

from policies.objects import deferring_errors, namespace_and_name, raise_first
from policies.pods import PODS, Pod, deployment, pod
from policies.rule import Stack, advisory, cis, kubernetes_docs, mandatory
from policies.selection import NAMESPACED_PODS, NamespacedPod, namespaced_pods
from policies.subjects import Resource, kubernetes
from policies.values import Props, entries, flag, number, text

ACCOUNTS = kubernetes("core", "ServiceAccount")
BINDINGS = kubernetes("rbac.authorization.k8s.io", "RoleBinding", "ClusterRoleBinding")
_DOCS = kubernetes_docs(
    "Service accounts", "tasks/configure-pod-container/configure-service-account/"
)
_LONGEST_TOKEN = 24 * 3600
_MOUNTS = "automountServiceAccountToken"


class Accounts:
    """Index of the declared service accounts; errors are deferred as in `Workloads`."""

    def __init__(self, stack: Stack) -> None:
        self._found: dict[tuple[str, str], Props] = {}
        self._unreadable: list[Exception] = []
        for one in stack.of(ACCOUNTS):
            with deferring_errors(self._unreadable):
                self._found[namespace_and_name(one.props)] = one.props

    def get(self, namespace: str, name: str) -> Props | None:
        """Return the account's properties, if the stack declares it."""
        found = self._found.get((namespace, name))
        if found is None:
            raise_first(self._unreadable)
        return found


def _account(pod: Pod) -> str:
    return text(pod.spec, "serviceAccountName") or text(pod.spec, "serviceAccount")


def _server(**spec: object) -> Resource:
    props = deployment()
    props["spec"]["template"]["spec"] |= spec
    return Resource(NAMESPACED_PODS.example, props, "resnet")


def _declared(**more: object) -> Resource:
    return Resource(
        ACCOUNTS.example, {"metadata": {"name": "server", "namespace": "models"}, **more}, "server"
    )


@mandatory(
    PODS,
    layer="serving",
    severity="medium",
    why="Permissions of a namespace's default account apply to every pod without its own account.",
    fix="set serviceAccountName to a dedicated account",
    references=(cis("4.1.4"), _DOCS),
    passing=pod(serviceAccountName="resnet"),
    failing=pod(),
)
def pods_have_an_account_of_their_own(pod: Pod) -> Iterator[str]:
    """A pod runs as a dedicated service account, never as `default`."""
    if _account(pod) in {"", "default"}:
        yield "serviceAccountName is `default` or not set"


def _bound_accounts(stack: Stack) -> set[tuple[str, str]]:
    """The accounts that a declared binding gives a role: their pods call the API server."""
    return {
        (text(subject, "namespace") or namespace_and_name(one.props)[0], text(subject, "name"))
        for one in stack.of(BINDINGS)
        for subject in entries(one.props, "subjects")
        if text(subject, "kind") == "ServiceAccount"
    }


@mandatory(
    NAMESPACED_PODS,
    layer="serving",
    severity="medium",
    why="With the token, an attacker in the pod can call the API server; a model server does not "
    "need it.",
    fix="set automountServiceAccountToken to false in the pod or its account; for a pod that calls "
    "the API server, add a waiver",
    references=(cis("4.1.5"), _DOCS),
    passing=(_server(serviceAccountName="server"), _declared(automountServiceAccountToken=False)),
    failing=(_server(serviceAccountName="server"), _declared()),
)
def pods_mount_no_token_without_need(subject: NamespacedPod, stack: Stack) -> Iterator[str]:
    """A pod has no API server token unless a waiver allows it.

    In manifests, an account that is bound to a role needs no waiver.
    """
    owner, name = subject.pod.spec, _account(subject.pod) or "default"
    if owner.get(_MOUNTS) is None:
        owner = stack.cached(Accounts).get(subject.namespace, name) or {}
    is_bound = name != "default" and (subject.namespace, name) in stack.cached(_bound_accounts)
    if is_bound and subject.resource.origin == "manifest":
        return
    if flag(owner, _MOUNTS, default=True):
        yield f"{_MOUNTS} is not false in the pod or its account"


def _used_accounts(stack: Stack) -> set[tuple[str, str]]:
    """The accounts that declared pods run as."""
    return {
        (one.namespace, _account(one.pod) or "default")
        for resource in stack.of(NAMESPACED_PODS)
        for one in namespaced_pods(resource)
    }


@advisory(
    ACCOUNTS,
    layer="serving",
    severity="low",
    why="Every pod that is given the account later gets a token for the API server, although the "
    "account may do nothing there.",
    fix="set automountServiceAccountToken to false in the account; a pod that calls the API server "
    "sets it to true",
    references=(cis("4.1.5"), _DOCS),
    passing=(_declared(automountServiceAccountToken=False),),
    failing=(_declared(),),
)
def service_accounts_mount_no_token_without_need(account: Props, stack: Stack) -> Iterator[str]:
    """An account without a role, which no declared pod runs as, mounts no token.

    `pods-mount-no-token-without-need` judges the accounts of declared pods.
    """
    if not flag(account, _MOUNTS, default=True):
        return
    key = namespace_and_name(account)
    if key not in stack.cached(_bound_accounts) and key not in stack.cached(_used_accounts):
        yield f"{_MOUNTS} is not false"


@mandatory(
    NAMESPACED_PODS,
    layer="serving",
    severity="medium",
    why="The API server rejects pods whose service account does not exist, and the rollout hangs.",
    fix="declare the account, or correct its name",
    references=(_DOCS,),
    passing=(_server(serviceAccountName="server"), _declared()),
    failing=(_server(serviceAccountName="sever"), _declared()),
)
def service_accounts_exist(subject: NamespacedPod, stack: Stack) -> Iterator[str]:
    """A pod's service account is declared in the stack."""
    name = _account(subject.pod)
    if name in {"", "default"}:
        return
    if stack.cached(Accounts).get(subject.namespace, name) is None:
        yield f'no service account "{name}" is declared in namespace {subject.namespace}'


@advisory(
    PODS,
    layer="serving",
    severity="low",
    why="The field is deprecated in favour of serviceAccountName.",
    fix="use serviceAccountName",
    references=(_DOCS,),
    passing=pod(serviceAccountName="resnet"),
    failing=pod(serviceAccount="resnet"),
)
def pods_name_their_account_in_the_current_field(pod: Pod) -> Iterator[str]:
    """A pod uses `serviceAccountName`, not the deprecated `serviceAccount`."""
    if text(pod.spec, "serviceAccount") and not text(pod.spec, "serviceAccountName"):
        yield "serviceAccount is set, and serviceAccountName is not"


@advisory(
    PODS,
    layer="serving",
    severity="low",
    why="A long-lived token is valuable to an attacker; the kubelet renews short-lived ones.",
    fix="set expirationSeconds to at most a day, better an hour",
    references=(kubernetes_docs("Projected volumes", "concepts/storage/projected-volumes/"),),
    passing=pod(
        volumes=[{"projected": {"sources": [{"serviceAccountToken": {"expirationSeconds": 3600}}]}}]
    ),
    failing=pod(
        volumes=[
            {"projected": {"sources": [{"serviceAccountToken": {"expirationSeconds": 2592000}}]}}
        ]
    ),
)
def projected_tokens_are_short_lived(pod: Pod) -> Iterator[str]:
    """A projected service account token is valid for at most a day."""
    for volume in entries(pod.spec, "volumes"):
        for source in entries(volume, "projected", "sources"):
            seconds = number(source, "serviceAccountToken", "expirationSeconds")
            if seconds is not None and seconds > _LONGEST_TOKEN:
                yield f"a projected token is valid for {seconds:.0f} s"
