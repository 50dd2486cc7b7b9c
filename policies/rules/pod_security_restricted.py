"""The Pod Security Standards, profile restricted, beyond the baseline (as of Kubernetes 1.36).

These rules require settings, so they skip patches, which hold only part of a pod. Windows pods
(`os.name`) are exempt from the Linux-only controls.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

from policies.cluster_version import ClusterVersion
from policies.pods import PODS, Pod, container_paths, describe, pod
from policies.rule import mandatory, pod_security
from policies.rules.pod_security import PROFILES, is_relaxed
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


def _set(resource: Resource, *keys: str, to: Any) -> Iterator[tuple[Path, Any]]:
    """Set `securityContext.keys` to a value in each container that has another value."""
    for path, container in container_paths(resource):
        if block(container, "securityContext", *keys[:-1]).get(keys[-1]) != to:
            yield (*path, "securityContext", *keys), to


def _default_seccomp(resource: Resource) -> Iterator[tuple[Path, Any]]:
    """Set the runtime's default profile in containers without a confining one."""
    for path, container in container_paths(resource):
        if text(container, "securityContext", "seccompProfile", "type") not in PROFILES:
            yield (*path, "securityContext", "seccompProfile"), {"type": "RuntimeDefault"}


@restricted(
    severity="medium",
    why="Other volume types access the node's disks, or storage outside Kubernetes' control.",
    fix="use a persistent volume claim, an emptyDir or a CSI volume instead",
    references=_restricted_of("Volume Types"),
    passing=pod(volumes=[{"name": "cache", "emptyDir": {}}]),
    failing=pod(volumes=[{"name": "share", "nfs": {"server": "10.0.0.2", "path": "/"}}]),
)
def pods_mount_only_volumes_of_the_cluster(pod: Pod) -> Iterator[str]:
    """A pod has only volume types that the restricted profile allows."""
    for volume in entries(pod.spec, "volumes"):
        if all(volume.get(kind) is None for kind in VOLUMES):
            # Without a source, the API server makes the volume an emptyDir.
            sources = [key for key, value in volume.items() if key != "name" and value is not None]
            if sources:
                yield f'volume "{text(volume, "name")}" is a {sources[0]}'


@restricted(
    severity="high",
    why="A process that can gain privileges bypasses all other limits with one setuid file.",
    fix="set securityContext.allowPrivilegeEscalation to false in every container",
    references=_restricted_of("Privilege Escalation"),
    passing=pod(container={"securityContext": {"allowPrivilegeEscalation": False}}),
    failing=pod(),
    repair=lambda resource: _set(resource, "allowPrivilegeEscalation", to=False),
)
def containers_cannot_gain_privileges(pod: Pod) -> Iterator[str]:
    """No container allows privilege escalation."""
    if _is_windows(pod):
        return
    for container in pod.containers():
        if flag(container, "securityContext", "allowPrivilegeEscalation", default=True):
            yield f"{describe(container)} does not set allowPrivilegeEscalation to false"


@restricted(
    severity="high",
    why="A root process that escapes its container is root on the node.",
    fix="set securityContext.runAsNonRoot to true",
    references=_restricted_of("Running as Non-root"),
    passing=pod(securityContext={"runAsNonRoot": True}),
    failing=pod(securityContext={"runAsNonRoot": False}),
)
def containers_run_as_non_root(pod: Pod, given: ClusterVersion) -> Iterator[str]:
    """Every container sets `runAsNonRoot`."""
    if is_relaxed(pod, given):
        return
    of_pod = block(pod.spec, "securityContext").get("runAsNonRoot")
    if of_pod is not None and not flag(pod.spec, "securityContext", "runAsNonRoot"):
        yield "the pod sets runAsNonRoot to false"
    for container in pod.containers():
        own = block(container, "securityContext").get("runAsNonRoot")
        if own is None:
            if not flag(pod.spec, "securityContext", "runAsNonRoot"):
                yield f"{describe(container)} does not set runAsNonRoot, and neither does the pod"
        elif not flag(container, "securityContext", "runAsNonRoot"):
            yield f"{describe(container)} sets runAsNonRoot to false"


@restricted(
    severity="high",
    why="User id 0 is root, regardless of the image.",
    fix="set securityContext.runAsUser to a number other than 0, or remove it",
    references=_restricted_of("Running as Non-root user"),
    passing=pod(securityContext={"runAsUser": 65534}),
    failing=pod(container={"securityContext": {"runAsUser": 0}}),
)
def containers_do_not_run_as_root(pod: Pod, given: ClusterVersion) -> Iterator[str]:
    """Neither the pod nor a container sets user id 0."""
    if is_relaxed(pod, given):
        return
    for owner, context in pod.security_contexts():
        if number(context, "runAsUser") == 0:
            yield f"{owner} runs as user 0"


@restricted(
    severity="medium",
    why="Without a seccomp profile a container can make every system call.",
    fix="set securityContext.seccompProfile.type of the pod to RuntimeDefault",
    references=_restricted_of("Seccomp"),
    passing=pod(securityContext={"seccompProfile": {"type": "RuntimeDefault"}}),
    failing=pod(),
    repair=_default_seccomp,
)
def containers_have_a_seccomp_profile(pod: Pod) -> Iterator[str]:
    """Every container has a seccomp profile."""
    if _is_windows(pod):
        return
    of_pod = text(pod.spec, "securityContext", "seccompProfile", "type")
    for container in pod.containers():
        own = block(container, "securityContext").get("seccompProfile")
        kind = text(container, "securityContext", "seccompProfile", "type")
        if (kind if own is not None else of_pod) not in PROFILES:
            yield f"{describe(container)} has no seccomp profile"


@restricted(
    severity="high",
    why="A server on an unprivileged port needs none of the runtime's default capabilities.",
    fix='set securityContext.capabilities.drop to ["ALL"] in every container',
    references=_restricted_of("Capabilities"),
    passing=pod(container={"securityContext": {"capabilities": {"drop": ["ALL"]}}}),
    failing=pod(container={"securityContext": {"capabilities": {"drop": ["NET_RAW"]}}}),
    repair=lambda resource: _set(resource, "capabilities", "drop", to=["ALL"]),
)
def containers_drop_all_capabilities(pod: Pod) -> Iterator[str]:
    """Every container drops all capabilities and adds at most NET_BIND_SERVICE."""
    if _is_windows(pod):
        return
    for container in pod.containers():
        if "ALL" not in texts(container, "securityContext", "capabilities", "drop"):
            yield f"{describe(container)} does not drop ALL"
        for capability in texts(container, "securityContext", "capabilities", "add"):
            if capability != "NET_BIND_SERVICE":
                yield f"{describe(container)} adds {capability}"


@restricted(
    severity="medium",
    why="An unmasked /proc exposes information about the node, even in a user namespace.",
    fix="remove securityContext.procMount",
    references=_restricted_of("/proc Mount Type"),
    passing=pod(container={"securityContext": {"procMount": "Default"}}),
    failing=pod(hostUsers=False, container={"securityContext": {"procMount": "Unmasked"}}),
)
def proc_stays_masked_in_user_namespaces(pod: Pod) -> Iterator[str]:
    """No container has an unmasked /proc, even in a user namespace."""
    for container in pod.containers():
        context = block(container, "securityContext")
        if context.get("procMount") is not None and text(context, "procMount") != "Default":
            yield f"{describe(container)} has procMount {context['procMount']}"
