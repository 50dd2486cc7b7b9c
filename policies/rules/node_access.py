"""Rules about access from pods to their node, beyond the Pod Security Standards."""

import re
from collections.abc import Iterator

from policies.pods import PODS, Pod, describe, pod
from policies.rule import advisory, cis, kubernetes_docs, mandatory
from policies.values import entries, flag, number, text

_SOCKETS = ("docker.sock", "containerd.sock", "crio.sock", "cri-dockerd.sock", "podman.sock")
_SSH = 22
_PORT_NAME = re.compile(r"(?=.*[a-z])[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?")


@mandatory(
    PODS,
    layer="serving",
    severity="critical",
    why="With the container runtime's socket, a pod can start a container with full node access.",
    fix="remove the volume; build images with a daemonless builder",
    references=(
        kubernetes_docs("hostPath", "concepts/storage/volumes/#hostpath"),
        cis("5.10.4"),
    ),
    passing=pod(volumes=[{"name": "scratch", "emptyDir": {}}]),
    failing=pod(volumes=[{"name": "docker", "hostPath": {"path": "/var/run/docker.sock"}}]),
)
def pods_do_not_reach_the_container_runtime(pod: Pod) -> Iterator[str]:
    """No pod mounts the socket of the node's container runtime."""
    for volume in entries(pod.spec, "volumes"):
        path = text(volume, "hostPath", "path").rstrip("/")
        if path.endswith(_SOCKETS) or path in {"/run/containerd", "/var/run/containerd"}:
            yield f'volume "{text(volume, "name")}" is {path}'


@mandatory(
    PODS,
    layer="serving",
    severity="medium",
    why="SSH into a container bypasses RBAC and the audit log.",
    fix="use `kubectl exec` or `kubectl debug`",
    references=(
        kubernetes_docs(
            "Get a shell to a running container",
            "tasks/debug/debug-application/get-shell-running-container/",
        ),
    ),
    passing=pod(container={"ports": [{"containerPort": 8501}]}),
    failing=pod(container={"ports": [{"containerPort": 22}]}),
)
def containers_open_no_ssh(pod: Pod) -> Iterator[str]:
    """No container exposes the SSH port."""
    for container in pod.containers():
        for port in entries(container, "ports"):
            if number(port, "containerPort") == _SSH and text(port, "protocol") in {"", "TCP"}:
                yield f"{describe(container)} listens on port {_SSH}"


@advisory(
    PODS,
    layer="serving",
    severity="low",
    why="Binding a port below 1024 usually requires root or a capability.",
    fix="listen on a port above 1023; the Service can still use port 80",
    references=(
        kubernetes_docs("Linux capabilities", "tasks/configure-pod-container/security-context/"),
    ),
    passing=pod(container={"ports": [{"containerPort": 8501}]}),
    failing=pod(container={"ports": [{"containerPort": 80}]}),
)
def containers_listen_on_unprivileged_ports(pod: Pod) -> Iterator[str]:
    """No container listens on a port below 1024."""
    for container in pod.containers():
        for port in entries(container, "ports"):
            found = number(port, "containerPort")
            if found is not None and 0 < found < 1024:
                yield f"{describe(container)} listens on port {found:.0f}"


@mandatory(
    PODS,
    layer="serving",
    severity="medium",
    why="With a writable root file system, an attacker in the process can install tools or change "
    "the program.",
    fix="set securityContext.readOnlyRootFilesystem; mount an emptyDir for files to be written",
    references=(
        kubernetes_docs("Security context", "tasks/configure-pod-container/security-context/"),
        cis("4.6.3"),
    ),
    passing=pod(container={"securityContext": {"readOnlyRootFilesystem": True}}),
    failing=pod(container={"securityContext": {}}),
)
def containers_cannot_write_to_their_image(pod: Pod) -> Iterator[str]:
    """Every container has a read-only root file system."""
    for container in pod.containers(ephemeral=False):
        if not flag(container, "securityContext", "readOnlyRootFilesystem"):
            yield f"{describe(container)} has securityContext.readOnlyRootFilesystem unset or false"


@mandatory(
    PODS,
    layer="serving",
    severity="medium",
    why="The API server rejects invalid ports, and the update fails halfway.",
    fix="use names of up to 15 lower-case letters, digits and hyphens, each once in a container, "
    "and numbers up to 65535",
    references=(
        kubernetes_docs("Service", "concepts/services-networking/service/#field-spec-ports"),
    ),
    passing=pod(container={"ports": [{"name": "rest", "containerPort": 8501}]}),
    failing=pod(container={"ports": [{"name": "a-name-that-is-long", "containerPort": 8501}]}),
)
def container_ports_are_valid(pod: Pod) -> Iterator[str]:
    """A container's ports have valid names and numbers."""
    for container in pod.containers():
        names: set[str] = set()
        for port in entries(container, "ports"):
            name, found = text(port, "name"), number(port, "containerPort")
            if name and name in names:
                yield f'{describe(container)}: two ports have the name "{name}"'
            names.add(name)
            if name and not _PORT_NAME.fullmatch(name):
                yield f'{describe(container)}: "{name}" is not a valid port name'
            if found is None or not 1 <= found <= 65535:
                yield f"{describe(container)}: containerPort {found} is not between 1 and 65535"


@advisory(
    PODS,
    layer="serving",
    severity="low",
    why="A low user id may exist on the node: a process that escapes the container then has that "
    "user's permissions.",
    fix="set securityContext.runAsUser to 10000 or higher",
    references=(
        kubernetes_docs("Security context", "tasks/configure-pod-container/security-context/"),
    ),
    passing=pod(securityContext={"runAsUser": 65534}),
    failing=pod(securityContext={"runAsUser": 1000}),
)
def containers_run_with_a_high_user_id(pod: Pod) -> Iterator[str]:
    """A pod's user id, if set, is 10000 or higher."""
    for owner, context in pod.security_contexts():
        user = number(context, "runAsUser")
        if user is not None and user < 10000:
            yield f"{owner} runs as {user:.0f}"
