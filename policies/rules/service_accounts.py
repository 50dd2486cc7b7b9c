"""Rules about the accounts that pods run as, and about the tokens they are given."""

from collections.abc import Iterator

from policies.objects import address
from policies.pods import PODS, Pod, deployment, pod
from policies.rule import Stack, advisory, cis, kubernetes_docs, mandatory
from policies.selection import PLACED, Selectable
from policies.subjects import Resource, kubernetes
from policies.values import Props, entries, flag, number, text

ACCOUNTS = kubernetes("core", "ServiceAccount")
_DOCS = kubernetes_docs(
    "Service accounts", "tasks/configure-pod-container/configure-service-account/"
)
_LONGEST_TOKEN = 24 * 3600
_MOUNTS = "automountServiceAccountToken"


class Accounts:
    """The declared service accounts, by namespace and name."""

    def __init__(self, stack: Stack) -> None:
        self._found: dict[tuple[str, str], Props] = {}
        self._unread: Exception | None = None
        for one in stack.of(ACCOUNTS):
            try:
                self._found[address(one.props)] = one.props
            except Exception as error:
                self._unread = error

    def get(self, namespace: str, name: str) -> Props | None:
        """The account, where the stack declares it."""
        found = self._found.get((namespace, name))
        if found is None and self._unread is not None:
            raise self._unread
        return found


def _account(pod: Pod) -> str:
    return text(pod.spec, "serviceAccountName") or text(pod.spec, "serviceAccount")


def _server(**spec: object) -> Resource:
    props = deployment()
    props["spec"]["template"]["spec"] |= spec
    return Resource(PLACED.example, props, "resnet")


def _declared(**more: object) -> Resource:
    return Resource(
        ACCOUNTS.example, {"metadata": {"name": "server", "namespace": "models"}, **more}, "server"
    )


@mandatory(
    PODS,
    layer="serving",
    severity="medium",
    why="What is granted to a namespace's default account is granted to every pod that names none.",
    fix="name an account of the workload's own in serviceAccountName",
    references=(cis("4.1.4"), _DOCS),
    passing=pod(serviceAccountName="resnet"),
    failing=pod(),
)
def pods_have_an_account_of_their_own(pod: Pod) -> Iterator[str]:
    """A pod runs as a service account made for it, never as `default`."""
    if _account(pod) in {"", "default"}:
        yield "serviceAccountName is not set, or default"


@mandatory(
    PLACED,
    layer="serving",
    severity="medium",
    why="With the token, whoever takes over the pod speaks to the API server in its name; a model "
    "server has nothing to say to it.",
    fix="set automountServiceAccountToken to false, of the pod or of its account; a pod that calls "
    "the API server gets a waiver",
    references=(cis("4.1.5"), _DOCS),
    passing=(_server(serviceAccountName="server"), _declared(automountServiceAccountToken=False)),
    failing=(_server(serviceAccountName="server"), _declared()),
)
def pods_mount_no_token_without_need(placed: Selectable, stack: Stack) -> Iterator[str]:
    """No pod is given a token for the API server unless somebody said that it needs one."""
    said = placed.pod.spec
    if said.get(_MOUNTS) is None:
        name = _account(placed.pod) or "default"
        said = stack.once(Accounts).get(placed.namespace, name) or {}
    if flag(said, _MOUNTS, default=True):
        yield f"{_MOUNTS} is not false, of the pod or of its account"


@mandatory(
    PLACED,
    layer="serving",
    severity="medium",
    why="The API server makes no pod whose service account is not there: a rollout hangs.",
    fix="declare the account, or correct its name",
    references=(_DOCS,),
    passing=(_server(serviceAccountName="server"), _declared()),
    failing=(_server(serviceAccountName="sever"), _declared()),
)
def service_accounts_exist(placed: Selectable, stack: Stack) -> Iterator[str]:
    """A pod names a service account that the stack declares."""
    name = _account(placed.pod)
    if name in {"", "default"}:
        return
    if stack.once(Accounts).get(placed.namespace, name) is None:
        yield f'no service account "{name}" is declared in namespace {placed.namespace}'


@advisory(
    PODS,
    layer="serving",
    severity="low",
    why="The field is deprecated: serviceAccountName replaced it.",
    fix="write serviceAccountName",
    references=(_DOCS,),
    passing=pod(serviceAccountName="resnet"),
    failing=pod(serviceAccount="resnet"),
)
def pods_name_their_account_in_the_current_field(pod: Pod) -> Iterator[str]:
    """A pod names its account in `serviceAccountName`, not in the deprecated `serviceAccount`."""
    if text(pod.spec, "serviceAccount") and not text(pod.spec, "serviceAccountName"):
        yield "serviceAccount is set, and serviceAccountName is not"


@advisory(
    PODS,
    layer="serving",
    severity="low",
    why="A token that lives for weeks is worth stealing; the kubelet renews short ones by itself.",
    fix="set expirationSeconds to an hour, a day at most",
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
    """A token that a pod is given by a volume lives for a day at most."""
    for volume in entries(pod.spec, "volumes"):
        for source in entries(volume, "projected", "sources"):
            seconds = number(source, "serviceAccountToken", "expirationSeconds")
            if seconds is not None and seconds > _LONGEST_TOKEN:
                yield f"a projected token lives for {seconds:.0f} s"
