"""Rules about ways from a pod to its node that pod security does not name one by one."""

import re
from collections.abc import Iterator

from policies.pods import PODS, Pod, named, pod
from policies.rule import advisory, cis, kubernetes_docs, mandatory
from policies.values import entries, flag, number, text

_SOCKETS = ("docker.sock", "containerd.sock", "crio.sock", "cri-dockerd.sock", "podman.sock")
_SSH = 22
_PORT_NAME = re.compile(r"(?=.*[a-z])[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?")


@mandatory(
    PODS,
    layer="serving",
    severity="critical",
    why="Whoever reaches the container runtime's socket starts a container that owns the node.",
    fix="remove the volume; to build images use a builder that needs no daemon",
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
    why="A container with a door of its own goes past RBAC and past the audit log.",
    fix="use `kubectl exec` or `kubectl debug`, which ask who you are",
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
    """No container listens on the port of SSH."""
    for container in pod.containers():
        for port in entries(container, "ports"):
            if number(port, "containerPort") == _SSH and text(port, "protocol") in {"", "TCP"}:
                yield f"{named(container)} listens on port {_SSH}"


@advisory(
    PODS,
    layer="serving",
    severity="low",
    why="To bind a port below 1024 a process commonly runs as root or with a capability for it.",
    fix="listen above 1023; the Service can still answer on 80",
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
                yield f"{named(container)} listens on port {found:.0f}"


@mandatory(
    PODS,
    layer="serving",
    severity="medium",
    why="What can be written can be replaced: whoever gets into the process installs tools, or "
    "changes the program.",
    fix="set securityContext.readOnlyRootFilesystem and mount an emptyDir where files are written",
    references=(
        kubernetes_docs("Security context", "tasks/configure-pod-container/security-context/"),
        cis("4.6.3"),
    ),
    passing=pod(container={"securityContext": {"readOnlyRootFilesystem": True}}),
    failing=pod(container={"securityContext": {}}),
)
def containers_cannot_write_to_their_image(pod: Pod) -> Iterator[str]:
    """Every container's root file system is read-only."""
    for container in pod.containers(ephemeral=False):
        if not flag(container, "securityContext", "readOnlyRootFilesystem"):
            yield f"{named(container)} has securityContext.readOnlyRootFilesystem unset or false"


@mandatory(
    PODS,
    layer="serving",
    severity="medium",
    why="The API server refuses a port that cannot be: the update fails halfway.",
    fix="name ports with up to 15 lower-case letters, digits and hyphens, and number them to 65535",
    references=(
        kubernetes_docs("Service", "concepts/services-networking/service/#field-spec-ports"),
    ),
    passing=pod(container={"ports": [{"name": "rest", "containerPort": 8501}]}),
    failing=pod(container={"ports": [{"name": "a-name-that-is-long", "containerPort": 8501}]}),
)
def container_ports_are_valid(pod: Pod) -> Iterator[str]:
    """A container's ports have names and numbers that Kubernetes takes."""
    for container in pod.containers():
        for port in entries(container, "ports"):
            name, found = text(port, "name"), number(port, "containerPort")
            if name and not _PORT_NAME.fullmatch(name):
                yield f'{named(container)}: "{name}" is no name of a port'
            if found is None or not 1 <= found <= 65535:
                yield f"{named(container)}: containerPort {found} is not between 1 and 65535"


@advisory(
    PODS,
    layer="serving",
    severity="low",
    why="A small user id may be that of a user of the node: whoever breaks out of the container is "
    "that user.",
    fix="set securityContext.runAsUser above 10000",
    references=(
        kubernetes_docs("Security context", "tasks/configure-pod-container/security-context/"),
    ),
    passing=pod(securityContext={"runAsUser": 65534}),
    failing=pod(securityContext={"runAsUser": 1000}),
)
def containers_run_with_a_high_user_id(pod: Pod) -> Iterator[str]:
    """A user id that a pod chooses is above 10000, where no user of the node is."""
    for whose, context in pod.security_contexts():
        user = number(context, "runAsUser")
        if user is not None and user < 10000:
            yield f"{whose} runs as {user:.0f}"
