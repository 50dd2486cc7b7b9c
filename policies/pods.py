"""`Pod`: the pod in any Kubernetes kind that embeds one, so that one rule covers all kinds."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from policies import custom_kinds
from policies.subjects import Path, Resource, Selector, group_kind
from policies.values import MalformedInputError, Props, block, entries, known, text

TEMPLATES: dict[tuple[str, str], tuple[str, ...]] = {
    ("core", "Pod"): (),
    ("core", "PodTemplate"): ("template",),
    ("core", "ReplicationController"): ("spec", "template"),
    ("apps", "Deployment"): ("spec", "template"),
    ("apps", "ReplicaSet"): ("spec", "template"),
    ("apps", "StatefulSet"): ("spec", "template"),
    ("apps", "DaemonSet"): ("spec", "template"),
    ("extensions", "Deployment"): ("spec", "template"),
    ("extensions", "ReplicaSet"): ("spec", "template"),
    ("extensions", "DaemonSet"): ("spec", "template"),
    ("batch", "Job"): ("spec", "template"),
    ("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template"),
}
"""Path from each kind to its pod template (the mapping with `metadata` and `spec`)."""

PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
_GROUPS = ("leaderworkerset.x-k8s.io", "LeaderWorkerSet")
LONG_RUNNING = {"Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "ReplicationController"}


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod's metadata and spec."""

    kind: str
    metadata: Props
    spec: Props
    _containers: dict[tuple[bool, bool], list[Props]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _contexts: list[tuple[str, Props]] = field(
        default_factory=list, init=False, repr=False, compare=False
    )
    _stated: set[str] = field(default_factory=set, init=False, repr=False, compare=False)

    def containers(self, *, init: bool = True, ephemeral: bool = True) -> Iterator[Props]:
        """Yield the containers, optionally with init and ephemeral containers."""
        found = self._containers.get((init, ephemeral))
        if found is None:  # once for all rules
            found = [
                *(entries(self.spec, "initContainers") if init else ()),
                *entries(self.spec, "containers"),
                *(entries(self.spec, "ephemeralContainers") if ephemeral else ()),
            ]
            self._containers[init, ephemeral] = found
        return iter(found)

    def security_contexts(self) -> Iterator[tuple[str, Props]]:
        """Yield the security context of the pod and of each container, with its owner."""
        if self._contexts:
            return iter(self._contexts)
        if type(self.spec) is not dict:
            return self._read_contexts()  # each rule's reads are recorded (`policies.reads`)
        try:
            self._contexts.extend(list(self._read_contexts()))
        except Exception:  # a rule says what it can about those before the error
            return self._read_contexts()
        return iter(self._contexts)

    def contexts_state(self, key: str) -> bool:
        """Whether a security context may state a key: most pods state few."""
        if type(self.spec) is not dict:
            return True  # each rule's reads are recorded (`policies.reads`)
        if not self._stated:
            try:
                self._stated.update({""}, *(context for _, context in self.security_contexts()))
            except Exception:  # the rule says what it can before it meets the error
                return True
        return key in self._stated

    def _read_contexts(self) -> Iterator[tuple[str, Props]]:
        yield "the pod", block(self.spec, "securityContext")
        for container in self.containers():
            yield describe(container), block(container, "securityContext")

    def annotations(self) -> Props:
        """Return the pod's annotations."""
        return block(self.metadata, "annotations")


def container_paths(resource: Resource) -> Iterator[tuple[Path, Props]]:
    """Yield the containers of a resource that embeds pods, with their paths. For repairs."""
    kind = group_kind(resource.type)
    if kind is None:
        return
    specs: list[Path] = []
    if kind in TEMPLATES:
        specs.append((*TEMPLATES[kind], "spec"))
    for path in custom_kinds.TEMPLATES.get(kind, ()):
        specs += [(*one, "spec") for one, _ in custom_kinds.found(resource.props, path)]
    for path in custom_kinds.INLINE.get(kind, ()):
        specs += [one for one, _ in custom_kinds.found(resource.props, path)]
    for within in specs:
        spec: Any = resource.props
        for step in within:
            spec = spec.get(step, {}) if isinstance(step, str) else spec[step]
        for key in ("initContainers", "containers", "ephemeralContainers"):
            for index, container in enumerate(entries(spec, key)):
                yield (*within, key, index), container


def describe(container: Props) -> str:
    """Return a container's description for messages."""
    return f'container "{text(container, "name")}"'


def pods(resource: Resource) -> Iterable[Pod]:
    """View a resource as the pod that it embeds, or a List as the pods of its items."""
    if type(resource.props) is not dict:
        return list(_pods(resource))  # each rule's reads are recorded (`policies.reads`)
    found: list[Pod] | None = resource.memo.get(pods)
    if found is None:  # once for all views of pods
        found = resource.memo[pods] = list(_pods(resource))
    return found


def _pods(resource: Resource) -> Iterator[Pod]:
    kind = group_kind(resource.type)
    if kind is None:
        return
    if kind in _CUSTOM:
        yield from _custom(kind, resource.props)
        return
    group, name = kind
    if name.endswith("List"):
        singular = (group, name.removesuffix("List"))
        for item in entries(resource.props, "items"):
            yield _pod(singular, item)
        return
    yield _pod((group, name.removesuffix("Patch")), resource.props)


def _custom(kind: tuple[str, str], props: Props) -> Iterator[Pod]:
    for path in custom_kinds.TEMPLATES.get(kind, ()):
        for _, template in custom_kinds.found(props, path):
            if not isinstance(template, dict):
                raise MalformedInputError(f"{'.'.join(path)} should be a mapping")
            yield Pod(kind[1], block(template, "metadata"), block(template, "spec"))
    for path in custom_kinds.INLINE.get(kind, ()):
        for _, spec in custom_kinds.found(props, path):
            if not isinstance(spec, dict):
                raise MalformedInputError(f"{'.'.join(path)} should be a mapping")
            containers = list(entries(spec, "containers"))
            # `model` of KServe is a container too; without an image it completes its runtime's.
            model = block(spec, "model")
            if text(model, "image") or model.get("securityContext") is not None:
                containers.append({"name": "kserve-container", **model})
            # One without an image completes a preset's, and states no more than it changes.
            containers = [
                one
                for one in containers
                if not isinstance(one, dict) or text(one, "image") or one.get("securityContext")
            ]
            if containers:
                yield Pod(kind[1], {}, {**spec, "containers": containers})

    for _, workflow in custom_kinds.found(props, custom_kinds.WORKFLOWS.get(kind, ("", ""))):
        if not isinstance(workflow, dict):
            raise MalformedInputError("the workflow should be a mapping")
        for metadata, spec in custom_kinds.workflow_pods(workflow):
            yield Pod(kind[1], metadata, spec)


def _pod(kind: tuple[str, str], props: Props) -> Pod:
    template = block(props, *TEMPLATES[kind]) if TEMPLATES[kind] else props
    if not isinstance(known(template), dict):
        raise MalformedInputError(f"{kind[1]} should be a mapping")
    return Pod(kind[1], block(template, "metadata"), block(template, "spec"))


def _matches(type_: str, kinds: Iterable[tuple[str, str]], *, patches: bool) -> bool:
    kind = group_kind(type_)
    if kind is None:
        return False
    group, name = kind
    names = {name, name.removesuffix("List")} | ({name.removesuffix("Patch")} if patches else set())
    return any((group, one) in kinds for one in names)


_CUSTOM = {*custom_kinds.TEMPLATES, *custom_kinds.INLINE, *custom_kinds.WORKFLOWS}
_ALL = (*TEMPLATES, *sorted(_CUSTOM))

PODS = Selector(
    lambda type_: _matches(type_, _ALL, patches=False),
    "kubernetes:core/v1:Pod",
    tuple(f"kubernetes:{group}/*:{kind}" for group, kind in _ALL),
    pods,
)
"""Every kind that embeds a pod."""

PODS_AND_PATCHES = Selector(
    lambda type_: _matches(type_, _ALL, patches=True),
    "kubernetes:core/v1:Pod",
    (*PODS.types, "their `…Patch` kinds"),
    pods,
)
"""`PODS` and their patches, which hold part of a pod. For rules that forbid a setting."""


def is_server(pod: Pod) -> bool:
    """Whether a pod without a controller serves: it restarts, and has ports or probes."""
    if text(pod.spec, "restartPolicy") not in {"", "Always"}:
        return False
    return any(
        entries(container, "ports") or any(block(container, key) for key in PROBES)
        for container in pod.containers(ephemeral=False)
    )


def _is_inner_worker(resource: Resource, pod: Pod) -> bool:
    """Whether a pod works for the leader of its group alone, whose probes speak for the group.

    A worker without ports has no API to probe; one that ends takes its group with it.
    """
    if group_kind(resource.type) != _GROUPS:
        return False
    template = block(resource.props, "spec", "leaderWorkerTemplate")
    if not block(template, "leaderTemplate") or text(template, "restartPolicy") == "None":
        return False
    worker = block(template, "workerTemplate", "spec")
    return pod.spec == worker and not any(
        entries(container, "ports") for container in pod.containers()
    )


def _long_running(resource: Resource) -> Iterable[Pod]:
    for one in pods(resource):
        if (one.kind != "Pod" or is_server(one)) and not _is_inner_worker(resource, one):
            yield one


_LONG_RUNNING = (
    *(kind for kind in TEMPLATES if kind[1] in LONG_RUNNING),
    *custom_kinds.LONG_RUNNING,
    ("core", "Pod"),
)

LONG_RUNNING_PODS = Selector(
    lambda type_: _matches(type_, _LONG_RUNNING, patches=False),
    "kubernetes:apps/v1:Deployment",
    tuple(f"kubernetes:{group}/*:{kind}" for group, kind in _LONG_RUNNING),
    _long_running,
)
"""Every kind whose pods run until they are stopped, so not jobs; of bare pods, those that serve."""


def pod(*, metadata: Props | None = None, container: Props | None = None, **spec: object) -> Props:
    """Return the properties of a pod with one container, for examples."""
    given = {"name": "server", "image": "registry.example/server:1.0"} | (container or {})
    return {"metadata": metadata or {}, "spec": {"containers": [given], **spec}}


def deployment(*, container: Props | None = None, name: str = "resnet", **spec: object) -> Props:
    """Return the properties of a Deployment of such a pod, for examples."""
    return {
        "metadata": {"name": name, "namespace": "models"},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": pod(metadata={"labels": {"app": name}}, container=container),
            **spec,
        },
    }
