"""Validation of a pod's additions against the model that they belong to.

`ValueError` begins with the key below the entry. What a pod may do at all, the policies judge.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gkeplatform.config import suggestion
from infra.serving.models import adapters, container_checks, gpu_arguments
from infra.serving.models.additions import WRITABLE, writable_folders
from infra.serving.models.entry import Entry
from infra.serving.models.files import FOLDER, Direct, InImage
from infra.serving.models.pod_settings import PodSettings
from infra.serving.models.presets import Preset

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


def check(model: Entry, preset: Preset) -> None:
    """`ValueError` if the additions contradict the model, or each other."""
    settings = model.pod
    _check_volumes(model)
    _check_metadata(settings.labels, "labels", RESERVED_LABELS)
    _check_metadata(settings.annotations, "annotations", RESERVED_ANNOTATIONS)
    own = (adapters.CONTAINER,) if model.lora_or_default else ()
    reserved = (*RESERVED_CONTAINERS, *own)
    if model.name in reserved:
        raise ValueError(
            f'name: "{model.name}" is a container of the platform in the same pod; rename the model'
        )
    names: dict[str, str] = {model.name: "the model's own container"}
    names |= dict.fromkeys(reserved, "a container of the platform")
    ports: dict[int, str] = {}
    if preset.rest_port:
        ports[preset.rest_port] = "the server's REST port"
    if preset.grpc_port:
        ports[preset.grpc_port] = "the server's gRPC port"
    if preset.metrics:
        ports.setdefault(preset.metrics.port, "the server's metrics port")
    port_names = dict.fromkeys(PORT_NAMES, "a port of the server")
    for where, container, is_init in _containers(settings):
        container_checks.check(where, container, is_init=is_init)
        _claim(f"{where}.name", container["name"], names, f"a name of {where}")
        _check_mounts(where, container, _volume_names(model))
        for number, port in enumerate(container_checks.mappings(where, container, "ports")):
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
    own = (
        *(adapters.VOLUMES if model.lora_or_default else ()),
        *((gpu_arguments.VOLUME,) if model.arguments_by_gpu else ()),
    )
    names = dict.fromkeys((*RESERVED_VOLUMES, *own), "a volume of the platform")
    paths: dict[str, str] = {}
    # With the model in the image, its folder may come from a volume as well.
    is_supplied = not isinstance(model.files_or_default, InImage)
    folders = (
        *((adapters.FOLDER, adapters.LIST_FOLDER) if model.lora_or_default else ()),
        *((gpu_arguments.FOLDER,) if model.arguments_by_gpu else ()),
    )
    reserved = (*RESERVED_PATHS, *folders)
    for index, volume in enumerate(settings.volumes):
        key = f"pod.volumes[{index}]"
        if volume.name.startswith(WRITABLE):
            raise ValueError(f'{key}.name: the prefix "{WRITABLE}" is the platform\'s; rename it')
        _claim(f"{key}.name", volume.name, names, f"the name of {key}")
        if volume.mount_path is not None:
            at = f"{key}.mount_path"
            _check_path(at, volume.mount_path, paths, reserved, is_supplied=is_supplied)
    for name, path, _ in writable_folders(settings):
        key = f"pod.writable.{path}"
        _check_path(key, path, paths, reserved, is_supplied=True)
        _claim(key, name, names, "the volume of another writable folder")


def _check_path(
    key: str, path: str, taken: dict[str, str], reserved: Sequence[str], *, is_supplied: bool
) -> None:
    for one in (*reserved, *((FOLDER,) if is_supplied else ())):
        if path == one or path.startswith(f"{one}/"):
            raise ValueError(
                f"{key}: {one} is the platform's"
                + (" and writable already; " if one == RESERVED_PATHS[0] else "; ")
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
    for index, mount in enumerate(container_checks.mappings(key, container, "volumeMounts")):
        name = str(mount.get("name"))
        if name not in known:
            raise ValueError(
                f'{key}.volumeMounts[{index}].name: the pod has no volume "{name}"; '
                f"{suggestion(name, known)}"
            )


def limits(settings: PodSettings, kind: str) -> Iterator[tuple[str, str]]:
    """The key and the limit of `kind` of each further container that states one."""
    for key, container, _ in _containers(settings):
        value = container["resources"]["limits"].get(kind)
        if value is not None:
            yield f"{key}.resources.limits.{kind}", str(value)
