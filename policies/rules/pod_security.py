"""The Pod Security Standards, profile baseline, one rule per control (as of Kubernetes 1.36).

The API server enforces them too; the rules report all violations already at the preview.
"""

from collections.abc import Iterator
from functools import partial

from policies.cluster_version import ClusterVersion
from policies.pods import PODS_AND_PATCHES, Pod, describe, pod
from policies.rule import mandatory, pod_security
from policies.values import block, comparable_text, entries, flag, number, text, texts

CAPABILITIES = frozenset(
    {
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    }
)
SYSCTLS: dict[str, int] = {
    "kernel.shm_rmid_forced": 0,
    "net.ipv4.ip_local_port_range": 0,
    "net.ipv4.ip_local_reserved_ports": 27,
    "net.ipv4.ip_unprivileged_port_start": 0,
    "net.ipv4.ping_group_range": 0,
    "net.ipv4.tcp_fin_timeout": 29,
    "net.ipv4.tcp_keepalive_intvl": 29,
    "net.ipv4.tcp_keepalive_probes": 29,
    "net.ipv4.tcp_keepalive_time": 29,
    "net.ipv4.tcp_notsent_lowat": 37,
    "net.ipv4.tcp_rmem": 32,
    "net.ipv4.tcp_slow_start_after_idle": 37,
    "net.ipv4.tcp_syncookies": 0,
    "net.ipv4.tcp_wmem": 32,
}
"""Safe sysctls, with the minor version of Kubernetes that admits them first."""
SELINUX_TYPES = {
    "": 0,
    "container_t": 0,
    "container_init_t": 0,
    "container_kvm_t": 0,
    "container_engine_t": 31,
}
"""SELinux types, with the minor version of Kubernetes that admits them first."""
APPARMOR_ANNOTATION = "container.apparmor.security.beta.kubernetes.io/"
PROFILES = {"RuntimeDefault", "Localhost"}
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
HOOKS = ("postStart", "preStop")

baseline = partial(mandatory, PODS_AND_PATCHES, layer="serving")


def is_relaxed(pod: Pod, version: ClusterVersion) -> bool:
    """Whether the standard exempts a pod in a user namespace: since Kubernetes 1.35."""
    return version.minor >= 35 and not flag(pod.spec, "hostUsers", default=True)


@baseline(
    severity="critical",
    why="A pod in the host namespaces can access the node's processes and network.",
    fix="remove hostNetwork, hostPID and hostIPC from the pod",
    references=(pod_security("Host Namespaces"),),
    passing=pod(hostNetwork=False),
    failing=pod(hostPID=True),
)
def pods_keep_out_of_host_namespaces(pod: Pod) -> Iterator[str]:
    """A pod does not share the node's namespaces."""
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if flag(pod.spec, key):
            yield f"{key} is true"


@baseline(
    severity="critical",
    why="A privileged container has root access to the node.",
    fix="remove securityContext.privileged; add the required capability instead",
    references=(pod_security("Privileged Containers"),),
    passing=pod(container={"securityContext": {"privileged": False}}),
    failing=pod(container={"securityContext": {"privileged": True}}),
)
def containers_are_not_privileged(pod: Pod) -> Iterator[str]:
    """No container is privileged."""
    for container in pod.containers():
        if flag(container, "securityContext", "privileged"):
            yield f"{describe(container)} is privileged"


@baseline(
    severity="high",
    why="Capabilities beyond the runtime's defaults give a container access to the node.",
    fix="drop ALL capabilities; add only NET_BIND_SERVICE if a low port is needed",
    references=(pod_security("Capabilities"),),
    passing=pod(container={"securityContext": {"capabilities": {"add": ["NET_BIND_SERVICE"]}}}),
    failing=pod(container={"securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}),
)
def containers_add_only_default_capabilities(pod: Pod) -> Iterator[str]:
    """No container adds a capability beyond the runtime's defaults."""
    for container in pod.containers():
        for capability in texts(container, "securityContext", "capabilities", "add"):
            if capability not in CAPABILITIES:
                yield f"{describe(container)} adds {capability}"


@baseline(
    severity="high",
    why="With a hostPath volume a container can read or change the node's files.",
    fix="use an emptyDir, a persistent volume or a bucket instead of hostPath",
    references=(pod_security("HostPath Volumes"),),
    passing=pod(volumes=[{"name": "cache", "emptyDir": {}}]),
    failing=pod(volumes=[{"name": "run", "hostPath": {"path": "/var/run"}}]),
)
def pods_mount_nothing_of_the_host(pod: Pod) -> Iterator[str]:
    """A pod has no hostPath volumes."""
    for volume in entries(pod.spec, "volumes"):
        if volume.get("hostPath") is not None:
            yield f'volume "{text(volume, "name")}" is a hostPath'


@baseline(
    severity="medium",
    why="A host port bypasses Services and network policies; only one pod per node can use it.",
    fix="remove hostPort and expose the pod with a Service",
    references=(pod_security("Host Ports"),),
    passing=pod(container={"ports": [{"containerPort": 8501}]}),
    failing=pod(container={"ports": [{"containerPort": 8501, "hostPort": 8501}]}),
)
def containers_take_no_host_ports(pod: Pod) -> Iterator[str]:
    """No container has a host port."""
    for container in pod.containers():
        for port in entries(container, "ports"):
            if number(port, "hostPort"):
                yield f"{describe(container)} has host port {port['hostPort']}"


@baseline(
    severity="medium",
    why="With a host in a probe, the pod's author can make the kubelet send requests anywhere.",
    fix="remove host from the probe or hook; the default is the pod itself",
    references=(pod_security("Host Probes / Lifecycle Hooks"),),
    passing=pod(container={"readinessProbe": {"httpGet": {"path": "/", "port": 80}}}),
    failing=pod(container={"readinessProbe": {"httpGet": {"host": "10.0.0.1", "port": 80}}}),
)
def probes_and_hooks_ask_the_pod_itself(pod: Pod, given: ClusterVersion) -> Iterator[str]:
    """Probes and lifecycle hooks have no host."""
    if given.minor < 34:  # the control is new in Kubernetes 1.34
        return
    for container in pod.containers():
        handlers = [(key, block(container, key)) for key in PROBES if key in container]
        if "lifecycle" in container:
            hooks = block(container, "lifecycle")
            handlers += [(f"lifecycle.{key}", block(hooks, key)) for key in HOOKS]
        for key, handler in handlers:
            for probe_type in ("httpGet", "tcpSocket"):
                if host := text(handler, probe_type, "host"):
                    yield f"{describe(container)} has {key}.{probe_type}.host {host}"


@baseline(
    severity="high",
    why="Without the runtime's AppArmor profile a container is less confined.",
    fix="remove the AppArmor setting, or set it to RuntimeDefault or Localhost",
    references=(pod_security("AppArmor"),),
    passing=pod(securityContext={"appArmorProfile": {"type": "RuntimeDefault"}}),
    failing=pod(metadata={"annotations": {f"{APPARMOR_ANNOTATION}server": "unconfined"}}),
)
def apparmor_profiles_are_not_removed(pod: Pod) -> Iterator[str]:
    """No container disables its AppArmor profile."""
    stated = pod.contexts_state("appArmorProfile")
    for owner, context in pod.security_contexts() if stated else ():
        if context.get("appArmorProfile") is not None:
            kind = text(context, "appArmorProfile", "type")
            if kind not in PROFILES:
                yield f"{owner} has the AppArmor profile {kind or 'without a type'}"
    for key, value in pod.annotations().items():
        is_allowed = value in {"", "runtime/default"} or comparable_text(value).startswith(
            "localhost/"
        )
        if key.startswith(APPARMOR_ANNOTATION) and not is_allowed:
            yield f"the annotation {key} is {value}"


@baseline(
    severity="high",
    why="A custom SELinux user, role or type can disable the confinement of containers.",
    fix="remove securityContext.seLinuxOptions",
    references=(pod_security("SELinux"),),
    passing=pod(securityContext={"seLinuxOptions": {"type": "container_t"}}),
    failing=pod(securityContext={"seLinuxOptions": {"user": "system_u"}}),
)
def selinux_options_stay_confined(pod: Pod, given: ClusterVersion) -> Iterator[str]:
    """SELinux options have no user or role, and only container types."""
    if not pod.contexts_state("seLinuxOptions"):
        return
    for owner, context in pod.security_contexts():
        options = block(context, "seLinuxOptions")
        kind = text(options, "type")
        if given.minor < SELINUX_TYPES.get(kind, given.minor + 1):
            yield f"{owner} has the SELinux type {kind}"
        for key in ("user", "role"):
            if text(options, key):
                yield f"{owner} sets seLinuxOptions.{key}"


@baseline(
    severity="medium",
    why="An unmasked /proc exposes information about the node.",
    fix="remove securityContext.procMount",
    references=(pod_security("/proc Mount Type"),),
    passing=pod(container={"securityContext": {"procMount": "Default"}}),
    failing=pod(container={"securityContext": {"procMount": "Unmasked"}}),
)
def proc_stays_masked(pod: Pod, given: ClusterVersion) -> Iterator[str]:
    """No container has an unmasked /proc, except in a user namespace."""
    if not pod.contexts_state("procMount") or is_relaxed(pod, given):
        return
    for container in pod.containers():
        context = block(container, "securityContext")
        if context.get("procMount") is not None and text(context, "procMount") != "Default":
            yield f"{describe(container)} has procMount {context['procMount']}"


@baseline(
    severity="high",
    why="Without a seccomp profile a container can make every system call.",
    fix="set securityContext.seccompProfile.type to RuntimeDefault",
    references=(pod_security("Seccomp"),),
    passing=pod(securityContext={"seccompProfile": {"type": "RuntimeDefault"}}),
    failing=pod(securityContext={"seccompProfile": {"type": "Unconfined"}}),
)
def seccomp_is_not_unconfined(pod: Pod) -> Iterator[str]:
    """No container disables its seccomp profile."""
    for owner, context in pod.security_contexts():
        if context.get("seccompProfile") is not None:
            kind = text(context, "seccompProfile", "type")
            if kind not in PROFILES:
                yield f"{owner} has the seccomp profile {kind or 'without a type'}"


@baseline(
    severity="medium",
    why="A sysctl that is not namespaced affects all pods on the node.",
    fix="remove the sysctl, or set it on the node pool",
    references=(pod_security("Sysctls"),),
    passing=pod(securityContext={"sysctls": [{"name": "net.ipv4.tcp_rmem", "value": "1 2 3"}]}),
    failing=pod(securityContext={"sysctls": [{"name": "kernel.msgmax", "value": "65536"}]}),
)
def sysctls_are_safe(pod: Pod, given: ClusterVersion) -> Iterator[str]:
    """A pod sets only safe sysctls."""
    for sysctl in entries(pod.spec, "securityContext", "sysctls"):
        name = text(sysctl, "name")
        since = SYSCTLS.get(name)
        if since is None:
            yield f"the sysctl {name or 'without a name'} is not a safe one"
        elif since > given.minor:
            yield f"the sysctl {name} is a safe one only since Kubernetes 1.{since}"


@baseline(
    severity="critical",
    why="A HostProcess container runs as a process on the Windows node.",
    fix="remove securityContext.windowsOptions.hostProcess",
    references=(pod_security("HostProcess"),),
    passing=pod(securityContext={"windowsOptions": {"hostProcess": False}}),
    failing=pod(securityContext={"windowsOptions": {"hostProcess": True}}),
)
def windows_host_processes_are_refused(pod: Pod) -> Iterator[str]:
    """No container is a Windows HostProcess container."""
    if not pod.contexts_state("windowsOptions"):
        return
    for owner, context in pod.security_contexts():
        if flag(context, "windowsOptions", "hostProcess"):
            yield f"{owner} sets windowsOptions.hostProcess"
