"""Manifests of a pod's additions: containers, volumes, mounts and identity.

Containers get the platform's security context where they state none, so that the restricted Pod
Security Standard holds by default.
"""

import re
from collections.abc import Iterator

from infra.serving.manifest import SECURITY_CONTEXT, Manifest
from infra.serving.models.pod_settings import PodSettings, Volume
from infra.serving.scalars import text

WRITABLE = "writable-"
"""Prefix of the volumes of writable folders."""


def identity(settings: PodSettings, *, default: int) -> Manifest:
    """User and groups of the pod's security context."""
    group = settings.group or default
    return {
        "runAsUser": settings.user or default,
        "runAsGroup": group,
        "fsGroup": settings.fs_group or group,
    }


def containers(settings: PodSettings, *, drain_seconds: int) -> list[Manifest]:
    """The further containers.

    They are told to stop together with the server. Without a `lifecycle` they wait as long as the
    server drains, since requests may still pass through them.
    """
    pause = {"preStop": {"sleep": {"seconds": drain_seconds}}}
    return [{"lifecycle": pause, **_restricted(one)} for one in settings.containers]


def init_containers(settings: PodSettings) -> list[Manifest]:
    """The init containers and native sidecars."""
    return [_restricted(one) for one in settings.init_containers]


def _restricted(container: Manifest) -> Manifest:
    context = {**SECURITY_CONTEXT, **(container.get("securityContext") or {})}
    return {**container, **_texts(container), "securityContext": context}


def _texts(container: Manifest) -> Manifest:
    """The parts in which Kubernetes wants text and YAML may have numbers and booleans."""
    words = {
        key: [text(word) for word in container[key]]
        for key in ("command", "args")
        if container.get(key)
    }
    variables = [
        {**one, "value": text(one["value"])} if "value" in one else one
        for one in container.get("env") or ()
    ]
    return {**words, **({"env": variables} if variables else {})}


def volumes(settings: PodSettings) -> list[Manifest]:
    """The volumes, those of writable folders included."""
    return [
        *({"name": one.name, **_source(one)} for one in settings.volumes),
        *(
            {"name": name, "emptyDir": {"sizeLimit": size}}
            for name, _, size in writable_folders(settings)
        ),
    ]


def _source(volume: Volume) -> Manifest:
    if volume.config_map is not None:
        return {"configMap": {"name": volume.config_map}}
    if volume.secret is not None:
        return {"secret": {"secretName": volume.secret}}
    if volume.claim is not None:
        return {"persistentVolumeClaim": {"claimName": volume.claim}}
    if volume.ephemeral is not None:
        spec = {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": volume.ephemeral.storage_class,
            "resources": {"requests": {"storage": volume.ephemeral.size}},
        }
        return {"ephemeral": {"volumeClaimTemplate": {"spec": spec}}}
    return {"emptyDir": {"sizeLimit": volume.empty_dir}}


def mounts(settings: PodSettings) -> list[Manifest]:
    """The mounts of the model server's container."""
    return [
        *(
            {
                "name": one.name,
                "mountPath": one.mount_path,
                **({"subPath": one.sub_path} if one.sub_path else {}),
                **({"readOnly": True} if one.is_read_only else {}),
            }
            for one in settings.volumes
            if one.mount_path is not None
        ),
        *({"name": name, "mountPath": path} for name, path, _ in writable_folders(settings)),
    ]


def writable_folders(settings: PodSettings) -> Iterator[tuple[str, str, str]]:
    """The name of the volume, the path and the size of each writable folder."""
    for path, size in settings.writable.items():
        yield f"{WRITABLE}{re.sub(r'[^a-z0-9]+', '-', path.lower()).strip('-')}"[:63], path, size


def pull_secrets(settings: PodSettings) -> list[Manifest]:
    """References to the Secrets with the registries' credentials."""
    return [{"name": name} for name in settings.image_pull_secrets]
