"""Rules about where a model's files come from: imports from a hub, formats, and LoRA adapters."""

from collections.abc import Iterator

from policies.objects import deferring_errors, namespace_and_name, raise_first
from policies.pods import LONG_RUNNING_PODS, PODS, Pod, deployment, describe, pod
from policies.rule import Reference, Stack, advisory, google, mandatory
from policies.selection import NAMESPACED_PODS, NamespacedPod
from policies.subjects import Resource, gcp, kubernetes
from policies.values import Props, block, entries, text, texts

GRANTS = gcp("storage/bucketIAMMember:BucketIAMMember", "storage/bucketIAMBinding:BucketIAMBinding")
SYNCS = kubernetes("secret-sync.gke.io", "SecretSync")
IMPORT = "model-import"
"""The label `app.kubernetes.io/component` of pods that import models."""
UPDATING = "VLLM_ALLOW_RUNTIME_LORA_UPDATING"
READERS = {"roles/storage.objectViewer", "roles/storage.legacyObjectReader"}
WRITERS = {
    "roles/storage.admin",
    "roles/storage.objectAdmin",
    "roles/storage.objectCreator",
    "roles/storage.objectUser",
    "roles/storage.legacyBucketOwner",
    "roles/storage.legacyBucketWriter",
    "roles/storage.legacyObjectOwner",
}
_PICKLES = Reference(
    "Hugging Face", "Pickle scanning", "https://huggingface.co/docs/hub/security-pickle"
)
_LORA = Reference("vLLM", "LoRA adapters", "https://docs.vllm.ai/en/latest/features/lora/")
_CODE = {"pickles", "trust-remote-code"}
_PICKLE_FORMATS = {"pt", "npcache"}


def _arguments(container: Props) -> Iterator[tuple[str, str]]:
    """Yield the flags of a container, without dashes, each with its value."""
    words = [*texts(container, "command"), *texts(container, "args")]
    for index, word in enumerate(words):
        name, separator, value = word.partition("=")
        if not name.startswith("-"):
            continue
        if not separator and index + 1 < len(words) and not words[index + 1].startswith("-"):
            value = words[index + 1]
        yield name.lstrip("-").replace("_", "-"), value


@advisory(
    PODS,
    layer="serving",
    severity="high",
    why="Pickles, and a repository's own modules, run their author's code in the pod.",
    fix="take safetensors (remove import.pickles), and a model that needs no code of its own",
    references=(_PICKLES,),
    passing=pod(container={"args": ["--model=/models", "--load-format=safetensors"]}),
    failing=pod(container={"args": ["--model=/models", "--trust-remote-code"]}),
)
def model_files_run_no_code(pod: Pod) -> Iterator[str]:
    """A model's files are data: no pickles, and no code from its repository."""
    for container in pod.containers(ephemeral=False):
        for name, value in _arguments(container):
            is_pickle = name == "load-format" and value in _PICKLE_FORMATS
            if is_pickle or (name in _CODE and value.lower() != "false"):
                yield f"{describe(container)} has --{name}{f' {value}' if is_pickle else ''}"


def _vllm(*arguments: str) -> Props:
    """A server whose adapters change while it runs."""
    updating = {"name": UPDATING, "value": "True"}
    return deployment(
        container={"name": "vllm", "args": ["--enable-lora", *arguments], "env": [updating]}
    )


@mandatory(
    LONG_RUNNING_PODS,
    layer="serving",
    severity="high",
    why="vLLM then opens paths that load any folder of the server as an adapter, or remove one, to "
    "everyone who may call it.",
    fix="name adapters in gke-serving:models[].adapters, which guards these paths",
    references=(_LORA,),
    passing=_vllm("--middleware=adapter_guard.PodOnly"),
    failing=_vllm(),
)
def adapters_are_not_changed_by_callers(pod: Pod) -> Iterator[str]:
    """A server whose adapters change at run time has a middleware that guards the paths."""
    for container in pod.containers(ephemeral=False):
        is_open = any(
            text(one, "name") == UPDATING and text(one, "value").lower() in {"1", "true"}
            for one in entries(container, "env")
        )
        if is_open and not any(name == "middleware" for name, _ in _arguments(container)):
            yield f"{describe(container)} has {UPDATING} and no --middleware"


class _Synchronized:
    """The Secrets that are copied from Secret Manager; errors are deferred as in `Workloads`."""

    def __init__(self, stack: Stack) -> None:
        self._found: set[tuple[str, str]] = set()
        self._unreadable: list[Exception] = []
        for one in stack.of(SYNCS):
            with deferring_errors(self._unreadable):
                self._found.add(namespace_and_name(one.props))

    def has(self, namespace: str, name: str) -> bool:
        """Whether the stack declares the copy."""
        if (namespace, name) not in self._found:
            raise_first(self._unreadable)
        return (namespace, name) in self._found


def _import(secret: str) -> Resource:
    """An import whose token is in a Secret."""
    props = pod(
        metadata={"namespace": "models", "labels": {"app.kubernetes.io/component": IMPORT}},
        volumes=[{"name": "token", "secret": {"secretName": secret}}],
    )
    return Resource("kubernetes:core/v1:Pod", props, "import")


_SYNC = Resource(
    SYNCS.example, {"metadata": {"name": "m1.import-hub-3", "namespace": "models"}}, "sync"
)


@mandatory(
    NAMESPACED_PODS,
    layer="serving",
    severity="medium",
    why="A Secret that somebody made by hand has no version, no owner and no log of its readers.",
    fix="name the token's secret in Secret Manager: import.token.secret_manager",
    references=(
        google("Synchronize secrets to Kubernetes Secrets", "secret-manager/docs/sync-k8-secrets"),
    ),
    passing=(_import("m1.import-hub-3"), _SYNC),
    failing=(_import("token"), _SYNC),
)
def import_tokens_come_from_secret_manager(subject: NamespacedPod, stack: Stack) -> Iterator[str]:
    """The token of an import is a copy of a secret in Secret Manager."""
    if subject.labels.get("app.kubernetes.io/component") != IMPORT:
        return
    found = stack.cached(_Synchronized)
    for name in _secrets(subject.pod):
        if not found.has(subject.namespace, name):
            yield f"Secret {name} is of no SecretSync"


def _secrets(pod: Pod) -> Iterator[str]:
    for volume in entries(pod.spec, "volumes"):
        if name := text(volume, "secret", "secretName"):
            yield name
    for container in pod.containers(ephemeral=False):
        for one in entries(container, "env"):
            if name := text(one, "valueFrom", "secretKeyRef", "name"):
                yield name


def _grant(role: str, account: str, condition: str = "") -> Resource:
    limited = {"condition": {"title": "folder", "expression": condition}} if condition else {}
    member = f"serviceAccount:{account}@p.iam.gserviceaccount.com"
    props = {"bucket": "models", "role": role, "member": member, **limited}
    return Resource(GRANTS.example, props, account)


_READS = _grant("roles/storage.objectViewer", "servers")
_BELOW = 'resource.name.startsWith("projects/_/buckets/models/objects/m1/")'


@advisory(
    GRANTS,
    layer="serving",
    severity="medium",
    why="Who may write anywhere in a bucket that others read may replace every model of theirs.",
    fix="add a condition on resource.name, as imports of models have",
    references=(
        google("Cloud Storage and IAM Conditions", "storage/docs/access-control/iam#conditions"),
    ),
    passing=(_grant("roles/storage.objectUser", "import", _BELOW), _READS),
    failing=(_grant("roles/storage.objectUser", "import"), _READS),
)
def bucket_writers_keep_to_their_folder(grant: Props, stack: Stack) -> Iterator[str]:
    """An account that writes into a bucket that another one reads may write below a folder only."""
    role, bucket = text(grant, "role"), text(grant, "bucket")
    if role not in WRITERS or "resource.name" in text(block(grant, "condition"), "expression"):
        return
    own = _members(grant)
    for other in stack.of(GRANTS):
        readers = _members(other.props) - own
        if text(other.props, "role") in READERS and text(other.props, "bucket") == bucket:
            for reader in sorted(readers):
                yield f"it may replace what {reader} reads"


def _members(grant: Props) -> set[str]:
    return {one for one in (text(grant, "member"), *texts(grant, "members")) if one}
