"""Validation of a pod's additions against the model that they belong to.

`ValueError` begins with the key below the entry. What a pod may do at all, the policies judge.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from gkeplatform.config import suggestion
from infra.serving.accelerators import GPU_RESOURCE, TPU_RESOURCE
from infra.serving.models.additions import WRITABLE, writable_folders
from infra.serving.models.entry import Entry
from infra.serving.models.files import FOLDER, Direct, InImage
from infra.serving.models.pod_settings import PodSettings
from infra.serving.models.presets import Preset
from infra.serving.patterns import Image
from infra.serving.quantity import Quantity, amount, cores_problem, memory_problem

RESERVED_VOLUMES = ("tmp", "shm", "files")
RESERVED_CONTAINERS = ("model-files", "gke-gcsfuse-sidecar", "gke-gcsfuse-metadata-prefetch")
RESERVED_PATHS = ("/tmp", "/dev/shm")  # noqa: S108 - in the container
RESERVED_LABELS = dict.fromkeys(
    ("app.kubernetes.io/", "platform/", "environment", "pod-template-hash"),
    "selectors and policies read it",
)
RESERVED_ANNOTATIONS = {
    "gke-gcsfuse/": "the platform sets it from files",
    "platform/": "the prefix is the platform's",
    "pulumi.com/": "Pulumi reads it from the Deployment, not from its pods",
}
PORT_NAMES = ("rest", "grpc", "metrics")
CONTAINER_KEYS = (
    "args",
    "command",
    "env",
    "envFrom",
    "image",
    "imagePullPolicy",
    "lifecycle",
    "livenessProbe",
    "name",
    "ports",
    "readinessProbe",
    "resizePolicy",
    "resources",
    "restartPolicy",
    "securityContext",
    "startupProbe",
    "stdin",
    "stdinOnce",
    "terminationMessagePath",
    "terminationMessagePolicy",
    "tty",
    "volumeDevices",
    "volumeMounts",
    "workingDir",
)
"""Fields of a container: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/"""
_VARIABLE_KEYS = ("name", "value", "valueFrom")
_VARIABLE_SOURCES = (
    "configMapKeyRef",
    "fieldRef",
    "fileKeyRef",
    "resourceFieldRef",
    "secretKeyRef",
)
_LABEL = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_SCALARS = (str, int, float, bool)
_SERVER_KEYS = ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe")


def check(model: Entry, preset: Preset) -> None:
    """`ValueError` if the additions contradict the model, or each other."""
    settings = model.pod
    _check_volumes(model)
    _check_metadata(settings.labels, "labels", RESERVED_LABELS)
    _check_metadata(settings.annotations, "annotations", RESERVED_ANNOTATIONS)
    if model.name in RESERVED_CONTAINERS:
        raise ValueError(
            f'name: "{model.name}" is a container of the platform in the same pod; rename the model'
        )
    names: dict[str, str] = {model.name: "the model's own container"}
    names |= dict.fromkeys(RESERVED_CONTAINERS, "a container of the platform")
    ports: dict[int, str] = {}
    if preset.rest_port:
        ports[preset.rest_port] = "the server's REST port"
    if preset.grpc_port:
        ports[preset.grpc_port] = "the server's gRPC port"
    if preset.metrics:
        ports.setdefault(preset.metrics.port, "the server's metrics port")
    port_names = dict.fromkeys(PORT_NAMES, "a port of the server")
    for where, container, is_init in _containers(settings):
        _check_container(where, container, is_init=is_init)
        _claim(f"{where}.name", container["name"], names, f"a name of {where}")
        _check_mounts(where, container, _volume_names(model))
        for number, port in enumerate(_list(where, container, "ports")):
            at = f"{where}.ports[{number}]"
            if not isinstance(port.get("containerPort"), int):
                raise ValueError(f"{at}.containerPort: expected a number, as 9000")
            _claim(f"{at}.containerPort", port.get("containerPort"), ports, f"a port of {where}")
            if port.get("name") is not None:
                _claim(f"{at}.name", port["name"], port_names, f"a port name of {where}")


def _containers(settings: PodSettings) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
    """The key of each further container, the container, and whether it is an init container."""
    for index, container in enumerate(settings.containers):
        yield f"pod.containers[{index}]", container, False
    for index, container in enumerate(settings.init_containers):
        yield f"pod.init_containers[{index}]", container, True


def _claim(key: str, value: Any, taken: dict[Any, str], owner: str) -> None:
    """Refuses a name or port that is in use, and takes it."""
    if value in taken:
        raise ValueError(f"{key}: {value} is {taken[value]} already; choose another")
    taken[value] = owner


def _check_volumes(model: Entry) -> None:
    settings = model.pod
    names = dict.fromkeys(RESERVED_VOLUMES, "a volume of the platform")
    paths: dict[str, str] = {}
    # With the model in the image, its folder may come from a volume as well.
    is_supplied = not isinstance(model.files_or_default, InImage)
    for index, volume in enumerate(settings.volumes):
        key = f"pod.volumes[{index}]"
        if volume.name.startswith(WRITABLE):
            raise ValueError(f'{key}.name: the prefix "{WRITABLE}" is the platform\'s; rename it')
        _claim(f"{key}.name", volume.name, names, f"the name of {key}")
        if volume.mount_path is not None:
            _check_path(f"{key}.mount_path", volume.mount_path, paths, is_supplied=is_supplied)
    for name, path, _ in writable_folders(settings):
        key = f"pod.writable.{path}"
        _check_path(key, path, paths, is_supplied=True)
        _claim(key, name, names, "the volume of another writable folder")


def _check_path(key: str, path: str, taken: dict[str, str], *, is_supplied: bool) -> None:
    for reserved in (*RESERVED_PATHS, *((FOLDER,) if is_supplied else ())):
        if path == reserved or path.startswith(f"{reserved}/"):
            raise ValueError(
                f"{key}: {reserved} is the platform's"
                + (" and writable already; " if reserved == RESERVED_PATHS[0] else "; ")
                + "choose another path"
            )
    if is_supplied and f"{FOLDER}/".startswith(f"{path}/"):
        raise ValueError(f"{key}: {path} would hide {FOLDER}; choose another path")
    _claim(key, path, taken, f"the path of {key}")


def _check_metadata(given: Mapping[str, str], kind: str, reserved: Mapping[str, str]) -> None:
    for key in given:
        for prefix, reason in reserved.items():
            if key == prefix or (prefix.endswith("/") and key.startswith(prefix)):
                raise ValueError(f"pod.{kind}.{key}: {key} is reserved: {reason}; remove it")


def _check_container(key: str, container: Mapping[str, Any], *, is_init: bool) -> None:
    for name in container:
        if name not in CONTAINER_KEYS:
            raise ValueError(
                f'{key}: unknown key "{name}" of a container; {suggestion(name, CONTAINER_KEYS)}'
            )
    for name in ("name", "image"):
        if not isinstance(container.get(name), str):
            raise ValueError(f"{key}: the key {name} is missing, or not text")
    if not re.fullmatch(_LABEL, container["name"]):
        raise ValueError(
            f'{key}.name: "{container["name"]}" is not a name of a container; use lower-case '
            "letters, digits and hyphens"
        )
    _check_command(key, container)
    _check_environment(key, container)
    image = container["image"]
    try:
        msgspec.convert(image, Image)
    except msgspec.ValidationError:
        image = ""
    if not image or image.endswith(":latest"):
        raise ValueError(
            f"{key}.image: {container['image']} has no fixed tag; name a version or a digest"
        )
    restart = container.get("restartPolicy")
    if restart is not None and not (is_init and restart == "Always"):
        raise ValueError(
            f"{key}.restartPolicy: {restart} is not allowed; "
            + (
                "a native sidecar has Always"
                if is_init
                else "for a native sidecar move the container to pod.init_containers"
            )
        )
    if is_init and restart is None:
        for name in _SERVER_KEYS:
            if name in container:
                raise ValueError(
                    f"{key}.{name}: Kubernetes refuses it in an init container; remove it, or set "
                    "restartPolicy: Always for a native sidecar"
                )
    _check_resources(key, container.get("resources"))


def _check_command(key: str, container: Mapping[str, Any]) -> None:
    for name in ("command", "args"):
        given = container.get(name, [])
        if not isinstance(given, list):
            raise ValueError(f'{key}.{name}: expected a list of words: ["sh", "-c", "…"]')
        for number, word in enumerate(given):
            if not isinstance(word, _SCALARS):
                raise ValueError(f"{key}.{name}[{number}]: expected text")


def _check_environment(key: str, container: Mapping[str, Any]) -> None:
    for number, variable in enumerate(_list(key, container, "env")):
        at = f"{key}.env[{number}]"
        if not isinstance(variable.get("name"), str):
            raise ValueError(f"{at}: the key name is missing, or not text")
        for name in variable:
            if name not in _VARIABLE_KEYS:
                raise ValueError(f'{at}: unknown key "{name}"; {suggestion(name, _VARIABLE_KEYS)}')
        if not isinstance(variable.get("value", ""), _SCALARS):
            raise ValueError(f"{at}.value: expected text")
        source = variable.get("valueFrom", {})
        for name in source if isinstance(source, Mapping) else ():
            if name not in _VARIABLE_SOURCES:
                raise ValueError(
                    f'{at}.valueFrom: unknown key "{name}"; {suggestion(name, _VARIABLE_SOURCES)}'
                )


def _check_resources(key: str, given: Any) -> None:
    resources = given if isinstance(given, Mapping) else {}
    for kind, name in (("requests", "cpu"), ("requests", "memory"), ("limits", "memory")):
        if name not in (resources.get(kind) or {}):
            raise ValueError(
                f"{key}.resources.{kind}.{name} is missing; the scheduler and the checks of this "
                "file count with it"
            )
    for kind, name, text in quantities(resources):
        where = f"{key}.resources.{kind}.{name}"
        if name == GPU_RESOURCE or name.startswith(TPU_RESOURCE):
            raise ValueError(f"{where}: accelerators are the model's; set the entry's resources")
        try:
            msgspec.convert(text, Quantity)
        except msgspec.ValidationError:
            raise ValueError(f"{where}: {text} is not a quantity, as 500m or 256Mi are") from None
        problem = cores_problem(text) if name == "cpu" else memory_problem(text)
        if problem and name in {"cpu", "memory", "ephemeral-storage"}:
            raise ValueError(f"{where}: {problem}")
    requests, limits = resources["requests"], resources["limits"]
    for name in requests:
        if name in limits and amount(str(requests[name])) > amount(str(limits[name])):
            raise ValueError(
                f"{key}.resources.requests.{name}: {requests[name]} exceeds the limit, "
                f"{limits[name]}"
            )


def quantities(resources: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """`requests` or `limits`, the resource, and its quantity."""
    for kind in ("requests", "limits"):
        for name, value in (resources.get(kind) or {}).items():
            yield kind, name, str(value)


def limits(settings: PodSettings, kind: str) -> Iterator[tuple[str, str]]:
    """The key and the limit of `kind` of each further container that states one."""
    for key, container, _ in _containers(settings):
        value = container["resources"]["limits"].get(kind)
        if value is not None:
            yield f"{key}.resources.limits.{kind}", str(value)


def _volume_names(model: Entry) -> list[str]:
    """The volumes that containers may mount, the platform's included."""
    has_shm = bool(model.shared_memory or model.preset.shared_memory)
    has_files = not isinstance(model.files_or_default, Direct | InImage)
    return [
        "tmp",
        *(["shm"] if has_shm else []),
        *(["files"] if has_files else []),
        *(volume.name for volume in model.pod.volumes),
        *(name for name, _, _ in writable_folders(model.pod)),
    ]


def _check_mounts(key: str, container: Mapping[str, Any], known: Sequence[str]) -> None:
    for index, mount in enumerate(_list(key, container, "volumeMounts")):
        name = str(mount.get("name"))
        if name not in known:
            raise ValueError(
                f'{key}.volumeMounts[{index}].name: the pod has no volume "{name}"; '
                f"{suggestion(name, known)}"
            )


def _list(key: str, container: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    given = container.get(name) or []
    if not isinstance(given, list) or not all(isinstance(one, Mapping) for one in given):
        raise ValueError(f"{key}.{name}: expected a list of mappings, as in a Kubernetes pod spec")
    return list(given)
