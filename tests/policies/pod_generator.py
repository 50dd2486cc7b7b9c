"""Pods of all shapes that the Pod Security Standards have an opinion on. Not a test.

A pod begins within the restricted profile; then some of its fields are changed, to harmless and to
forbidden values alike. What the API server finds invalid for other reasons is for it to say.
"""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

Json = dict[str, Any]
Change = Callable[[Json, Json, Any], None]
"""Of the pod, one of its containers, and a value that was drawn."""

_APPARMOR = "container.apparmor.security.beta.kubernetes.io/"
_PROFILES = [
    {"type": "RuntimeDefault"},
    {"type": "Localhost", "localhostProfile": "profiles/a.json"},
    {"type": "Unconfined"},
]
_CAPABILITIES = ["NET_BIND_SERVICE", "CHOWN", "SYS_ADMIN", "NET_RAW", "ALL", "SETPCAP", "MKNOD"]
_SYSCTLS = [
    "kernel.shm_rmid_forced",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.ip_local_reserved_ports",
    "kernel.msgmax",
    "net.core.somaxconn",
]
_VOLUMES: list[Json] = [
    {"emptyDir": {}},
    {"configMap": {"name": "a"}},
    {"secret": {"secretName": "a"}},
    {"projected": {"sources": [{"configMap": {"name": "a"}}]}},
    {"downwardAPI": {"items": []}},
    {"persistentVolumeClaim": {"claimName": "a"}},
    {"csi": {"driver": "gcsfuse.csi.storage.gke.io"}},
    {
        "ephemeral": {
            "volumeClaimTemplate": {
                "spec": {
                    "accessModes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": "1Gi"}},
                }
            }
        }
    },
    {"image": {"reference": "registry.example/a:1"}},
    {},
    {"hostPath": {"path": "/var/run"}},
    {"nfs": {"server": "10.0.0.1", "path": "/"}},
    {"gcePersistentDisk": {"pdName": "a"}},
    {"iscsi": {"targetPortal": "10.0.0.1", "iqn": "iqn.2001-04.com.example:a", "lun": 0}},
    {"glusterfs": {"endpoints": "a", "path": "b"}},
    {"rbd": {"monitors": ["a"], "image": "b"}},
    {"cephfs": {"monitors": ["a"]}},
    {"fc": {"targetWWNs": ["500a0982991b8dc5"], "lun": 0}},
    {"azureFile": {"secretName": "a", "shareName": "b"}},
    {"flexVolume": {"driver": "a/b"}},
    {"gitRepo": {"repository": "https://example.com/a.git"}},
]
_SELINUX: list[Json] = [
    {},
    {"level": "s0:c1,c2"},
    {"type": "container_t"},
    {"type": "container_engine_t"},
    {"type": "container_init_t"},
    {"type": "container_kvm_t"},
    {"type": "spc_t"},
    {"user": "system_u"},
    {"role": "system_r"},
    {"user": "", "role": "", "type": ""},
]
_HANDLERS: list[Json] = [
    {"httpGet": {"path": "/", "port": 80}},
    {"httpGet": {"path": "/", "port": 80, "host": "10.0.0.1"}},
    {"httpGet": {"path": "/", "port": 80, "host": ""}},
    {"tcpSocket": {"port": 80}},
    {"tcpSocket": {"port": 80, "host": "example.com"}},
    {"exec": {"command": ["true"]}},
]
_PROBE_HANDLERS = [*_HANDLERS, {"grpc": {"port": 80}}]
_FLAGS = st.sampled_from([True, False, None])


def _context(holder: Json) -> Json:
    found: Json = holder.setdefault("securityContext", {})
    return found


def _of_pod(key: str) -> Change:
    def change(pod: Json, container: Json, value: Any) -> None:
        _put(_context(pod["spec"]), key, value)

    return change


def _of_container(key: str) -> Change:
    def change(pod: Json, container: Json, value: Any) -> None:
        _put(_context(container), key, value)

    return change


def _put(holder: Json, key: str, value: Any) -> None:
    if value is None:
        holder.pop(key, None)
    else:
        holder[key] = value


def _in_spec(key: str) -> Change:
    def change(pod: Json, container: Json, value: Any) -> None:
        _put(pod["spec"], key, value)

    return change


def _privileged(pod: Json, container: Json, value: Any) -> None:
    context = _context(container)
    _put(context, "privileged", value)
    if value:
        context.pop("allowPrivilegeEscalation", None)


def _volume(pod: Json, container: Json, value: Any) -> None:
    volumes = pod["spec"].setdefault("volumes", [])
    volumes.append({"name": f"v{len(volumes)}", **value})


def _ports(pod: Json, container: Json, value: Any) -> None:
    container["ports"] = [{"containerPort": 80}] if value is None else [value]


def _handler(key: str) -> Change:
    def change(pod: Json, container: Json, value: Any) -> None:
        if container in pod["spec"]["containers"]:
            container[key] = value

    return change


def _lifecycle(pod: Json, container: Json, value: Any) -> None:
    if container in pod["spec"]["containers"]:
        container["lifecycle"] = value


def _annotation(pod: Json, container: Json, value: Any) -> None:
    key = f"{_APPARMOR}{container['name']}"
    pod["metadata"].setdefault("annotations", {})[key] = value
    _context(pod["spec"]).pop("appArmorProfile", None)


def _seccomp_annotation(pod: Json, container: Json, value: Any) -> None:
    annotations = pod["metadata"].setdefault("annotations", {})
    annotations["seccomp.security.alpha.kubernetes.io/pod"] = value


def _windows(pod: Json, container: Json, value: Any) -> None:
    """A pod for Windows has none of Linux' fields."""
    spec = pod["spec"]
    spec["os"] = {"name": "windows"}
    for key in ("hostPID", "hostIPC", "hostUsers"):
        spec.pop(key, None)
    kept = {"runAsNonRoot", "windowsOptions"}
    for holder in (spec, *spec["containers"], *spec.get("initContainers", ())):
        context = {k: v for k, v in _context(holder).items() if k in kept}
        holder["securityContext"] = context
    _host_process(pod, container, value)


def _host_process(pod: Json, container: Json, value: Any) -> None:
    if value is None:
        return
    _context(pod["spec"])["windowsOptions"] = {"hostProcess": value}
    if value:
        pod["spec"]["hostNetwork"] = True


CHANGES: list[tuple[Change, st.SearchStrategy[Any]]] = [
    (_in_spec("hostNetwork"), _FLAGS),
    (_in_spec("hostPID"), _FLAGS),
    (_in_spec("hostIPC"), _FLAGS),
    (_in_spec("hostUsers"), _FLAGS),
    (_in_spec("os"), st.sampled_from([None, {"name": "linux"}])),
    (_privileged, _FLAGS),
    (_of_container("allowPrivilegeEscalation"), _FLAGS),
    (_of_container("runAsNonRoot"), _FLAGS),
    (_of_pod("runAsNonRoot"), _FLAGS),
    (_of_container("runAsUser"), st.sampled_from([None, 0, 1, 65534])),
    (_of_pod("runAsUser"), st.sampled_from([None, 0, 1000])),
    (_of_pod("runAsGroup"), st.sampled_from([None, 0, 1000])),
    (_of_pod("supplementalGroups"), st.sampled_from([None, [0], [1000]])),
    (_of_container("seccompProfile"), st.sampled_from([None, *_PROFILES])),
    (_of_pod("seccompProfile"), st.sampled_from([None, *_PROFILES])),
    (_of_container("appArmorProfile"), st.sampled_from([None, *_PROFILES])),
    (_of_pod("appArmorProfile"), st.sampled_from([None, *_PROFILES])),
    (_annotation, st.sampled_from(["runtime/default", "localhost/a", "unconfined"])),
    (_seccomp_annotation, st.sampled_from(["runtime/default", "unconfined"])),
    (_of_container("seLinuxOptions"), st.sampled_from(_SELINUX)),
    (_of_pod("seLinuxOptions"), st.sampled_from(_SELINUX)),
    (_of_container("procMount"), st.sampled_from([None, "Default", "Unmasked"])),
    (_of_container("readOnlyRootFilesystem"), _FLAGS),
    (
        _of_container("capabilities"),
        st.none()
        | st.fixed_dictionaries(
            {},
            optional={
                "add": st.lists(st.sampled_from(_CAPABILITIES), max_size=2, unique=True),
                "drop": st.lists(st.sampled_from(["ALL", "NET_RAW", "all"]), max_size=2),
            },
        ),
    ),
    (
        _of_pod("sysctls"),
        st.lists(st.sampled_from(_SYSCTLS), max_size=2, unique=True).map(
            lambda names: [{"name": name, "value": "1"} for name in names]
        ),
    ),
    (_volume, st.sampled_from(_VOLUMES)),
    (
        _ports,
        st.sampled_from(
            [
                None,
                {"containerPort": 80, "hostPort": 0},
                {"containerPort": 80, "hostPort": 80},
                {"containerPort": 80, "hostPort": 8080},
            ]
        ),
    ),
    *(
        (_handler(key), st.sampled_from(_PROBE_HANDLERS))
        for key in ("livenessProbe", "readinessProbe", "startupProbe")
    ),
    (
        _lifecycle,
        st.dictionaries(
            st.sampled_from(["postStart", "preStop"]), st.sampled_from(_HANDLERS), max_size=2
        ),
    ),
    (_windows, _FLAGS),
    (_host_process, _FLAGS),
]


def _container(name: str) -> Json:
    return {
        "name": name,
        "image": "registry.example/server:1",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
    }


@st.composite
def pods(draw: st.DrawFn) -> Json:
    """A pod's metadata and spec."""
    containers = [_container(f"c{i}") for i in range(draw(st.integers(1, 2)))]
    spec: Json = {
        "containers": containers,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    }
    pod: Json = {"metadata": {"name": "generated"}, "spec": spec}
    init = [_container(f"i{i}") for i in range(draw(st.integers(0, 2)))]
    if init:
        spec["initContainers"] = init
        if draw(st.booleans()):
            init[0]["restartPolicy"] = "Always"
    for _ in range(draw(st.integers(0, 4))):
        change, values = draw(st.sampled_from(CHANGES))
        change(pod, draw(st.sampled_from([*containers, *init])), draw(values))
    return pod


@st.composite
def ephemeral_containers(draw: st.DrawFn) -> Json:
    """A container to be added to a pod that runs."""
    container = _container("debug")
    holder: Json = {"metadata": {}, "spec": {"containers": [container]}}
    for _ in range(draw(st.integers(0, 2))):
        change, values = draw(st.sampled_from(_FOR_EPHEMERAL))
        change(holder, container, draw(values))
    return container


_FOR_EPHEMERAL = [
    (_privileged, _FLAGS),
    (_of_container("allowPrivilegeEscalation"), _FLAGS),
    (_of_container("runAsNonRoot"), _FLAGS),
    (_of_container("runAsUser"), st.sampled_from([None, 0, 1])),
    (_of_container("seccompProfile"), st.sampled_from([None, *_PROFILES])),
    (_of_container("appArmorProfile"), st.sampled_from([None, *_PROFILES])),
    (_of_container("seLinuxOptions"), st.sampled_from(_SELINUX)),
    (_of_container("procMount"), st.sampled_from([None, "Default", "Unmasked"])),
    (
        _of_container("capabilities"),
        st.sampled_from([None, {"drop": ["ALL"]}, {"drop": ["ALL"], "add": ["SYS_PTRACE"]}]),
    ),
]
