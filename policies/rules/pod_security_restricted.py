"""The Pod Security Standards, profile restricted: what it asks beyond the baseline, as 1.36 has it.

The kinds of the baseline's module forbid; these demand, so a patch, which holds a part of a pod, is
not judged by them. A pod for Windows (`os.name`) has none of what the last four are about.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

from policies.pods import PODS, Pod, named, places, pod
from policies.rule import mandatory, pod_security
from policies.rules.pod_security import PROFILES
from policies.subjects import Path, Resource
from policies.values import block, entries, flag, number, text, texts

VOLUMES = (
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
)

restricted = partial(mandatory, PODS, layer="serving")


def _restricted_of(control: str) -> Any:
    return (pod_security(control, "restricted"),)


def _is_windows(pod: Pod) -> bool:
    return text(pod.spec, "os", "name") == "windows"


def _has_user_namespace(pod: Pod) -> bool:
    """Whether root in the pod is nobody on the node: some controls ask nothing of it then."""
    return not flag(pod.spec, "hostUsers", default=True)


def _set(resource: Resource, *keys: str, to: Any) -> Iterator[tuple[Path, Any]]:
    """Put a value at `securityContext.keys` of each container that has another one."""
    for place, container in places(resource):
        if block(container, "securityContext", *keys[:-1]).get(keys[-1]) != to:
            yield (*place, "securityContext", *keys), to


def _default_seccomp(resource: Resource) -> Iterator[tuple[Path, Any]]:
    """Put the runtime's profile where a container has none or an unconfined one."""
    for place, container in places(resource):
        if text(container, "securityContext", "seccompProfile", "type") not in PROFILES:
            yield (*place, "securityContext", "seccompProfile"), {"type": "RuntimeDefault"}


@restricted(
    severity="medium",
    why="Other sorts of volumes reach the node's disks, or storage attached past Kubernetes.",
    fix="use a persistent volume claim, an emptyDir or a CSI volume instead",
    references=_restricted_of("Volume Types"),
    passing=pod(volumes=[{"name": "cache", "emptyDir": {}}]),
    failing=pod(volumes=[{"name": "share", "nfs": {"server": "10.0.0.2", "path": "/"}}]),
)
def pods_mount_only_volumes_of_the_cluster(pod: Pod) -> Iterator[str]:
    """A pod mounts only volumes that Kubernetes itself manages."""
    for volume in entries(pod.spec, "volumes"):
        if all(volume.get(kind) is None for kind in VOLUMES):
            # A volume that says nothing of its source is an emptyDir: the API server fills it in.
            sources = [key for key, value in volume.items() if key != "name" and value is not None]
            if sources:
                yield f'volume "{text(volume, "name")}" is a {sources[0]}'


@restricted(
    severity="high",
    why="A program that may gain privileges undoes all other limits with one setuid file.",
    fix="set securityContext.allowPrivilegeEscalation to false in every container",
    references=_restricted_of("Privilege Escalation"),
    passing=pod(container={"securityContext": {"allowPrivilegeEscalation": False}}),
    failing=pod(),
    repair=lambda resource: _set(resource, "allowPrivilegeEscalation", to=False),
)
def containers_cannot_gain_privileges(pod: Pod) -> Iterator[str]:
    """No container may gain privileges that it was not started with."""
    if _is_windows(pod):
        return
    for container in pod.containers():
        if flag(container, "securityContext", "allowPrivilegeEscalation", default=True):
            yield f"{named(container)} does not set allowPrivilegeEscalation to false"


@restricted(
    severity="high",
    why="Root in a container is root on the node once anything lets it out.",
    fix="set securityContext.runAsNonRoot to true (the model servers do)",
    references=_restricted_of("Running as Non-root"),
    passing=pod(securityContext={"runAsNonRoot": True}),
    failing=pod(securityContext={"runAsNonRoot": False}),
)
def containers_run_as_non_root(pod: Pod) -> Iterator[str]:
    """Every container is refused where its user is root."""
    if _has_user_namespace(pod):
        return
    whole = block(pod.spec, "securityContext").get("runAsNonRoot")
    if whole is not None and not flag(pod.spec, "securityContext", "runAsNonRoot"):
        yield "the pod sets runAsNonRoot to false"
    for container in pod.containers():
        own = block(container, "securityContext").get("runAsNonRoot")
        if own is None:
            if not flag(pod.spec, "securityContext", "runAsNonRoot"):
                yield f"{named(container)} does not set runAsNonRoot, and the pod does not either"
        elif not flag(container, "securityContext", "runAsNonRoot"):
            yield f"{named(container)} sets runAsNonRoot to false"


@restricted(
    severity="high",
    why="User 0 is root, whatever the image says.",
    fix="set securityContext.runAsUser to another number than 0, or leave it out",
    references=_restricted_of("Running as Non-root user"),
    passing=pod(securityContext={"runAsUser": 65534}),
    failing=pod(container={"securityContext": {"runAsUser": 0}}),
)
def containers_do_not_run_as_root(pod: Pod) -> Iterator[str]:
    """Neither the pod nor a container names user 0."""
    if _has_user_namespace(pod):
        return
    for whose, context in pod.security_contexts():
        if number(context, "runAsUser") == 0:
            yield f"{whose} runs as user 0"


@restricted(
    severity="medium",
    why="Without a profile a container may make every system call that the kernel has.",
    fix="set securityContext.seccompProfile.type of the pod to RuntimeDefault",
    references=_restricted_of("Seccomp"),
    passing=pod(securityContext={"seccompProfile": {"type": "RuntimeDefault"}}),
    failing=pod(),
    repair=_default_seccomp,
)
def containers_have_a_seccomp_profile(pod: Pod) -> Iterator[str]:
    """Every container runs under a seccomp profile."""
    if _is_windows(pod):
        return
    whole = text(pod.spec, "securityContext", "seccompProfile", "type")
    for container in pod.containers():
        own = block(container, "securityContext").get("seccompProfile")
        kind = text(container, "securityContext", "seccompProfile", "type")
        if (kind if own is not None else whole) not in PROFILES:
            yield f"{named(container)} runs under no seccomp profile"


@restricted(
    severity="high",
    why="The runtime's default capabilities are more than a server that opens a high port needs.",
    fix='set securityContext.capabilities.drop to ["ALL"] in every container',
    references=_restricted_of("Capabilities"),
    passing=pod(container={"securityContext": {"capabilities": {"drop": ["ALL"]}}}),
    failing=pod(container={"securityContext": {"capabilities": {"drop": ["NET_RAW"]}}}),
    repair=lambda resource: _set(resource, "capabilities", "drop", to=["ALL"]),
)
def containers_drop_all_capabilities(pod: Pod) -> Iterator[str]:
    """Every container drops all capabilities and adds back NET_BIND_SERVICE at most."""
    if _is_windows(pod):
        return
    for container in pod.containers():
        if "ALL" not in texts(container, "securityContext", "capabilities", "drop"):
            yield f"{named(container)} does not drop ALL"
        for capability in texts(container, "securityContext", "capabilities", "add"):
            if capability != "NET_BIND_SERVICE":
                yield f"{named(container)} adds {capability}"


@restricted(
    severity="medium",
    why="An unmasked /proc tells a container about the node, also in a user namespace.",
    fix="remove securityContext.procMount",
    references=_restricted_of("/proc Mount Type"),
    passing=pod(container={"securityContext": {"procMount": "Default"}}),
    failing=pod(hostUsers=False, container={"securityContext": {"procMount": "Unmasked"}}),
)
def proc_stays_masked_in_user_namespaces(pod: Pod) -> Iterator[str]:
    """No container asks for an unmasked /proc, whatever the user namespace."""
    for container in pod.containers():
        context = block(container, "securityContext")
        if context.get("procMount") is not None and text(context, "procMount") != "Default":
            yield f"{named(container)} has procMount {context['procMount']}"
