"""The ConfigMaps and Secrets that pods mount, as files of this machine."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.kubernetes.api_server import ApiServer
from sandbox.kubernetes.folder import write_private

Json = dict[str, Any]
CONFIG_MAPS, SECRETS = "configmaps", "secrets"
_SOURCES = {"configMap": (CONFIG_MAPS, "name"), "secret": (SECRETS, "secretName")}


@dataclass(frozen=True, slots=True)
class Mount:
    """One ConfigMap or Secret in a pod."""

    path: str
    """Of the folder in the pod."""
    resource: str
    """CONFIG_MAPS or SECRETS."""
    name: str
    is_optional: bool = False

    def folder(self, root: Path) -> Path:
        """Where its files are for a pod whose file system is at `root`."""
        return root / self.path.strip("/")


def mounts(pod: Json) -> Iterator[Mount]:
    """Yield what the containers of a pod mount, those that initialize it included."""
    spec = pod["spec"]
    volumes = {one["name"]: one for one in spec.get("volumes") or []}
    for container in (*spec["containers"], *(spec.get("initContainers") or [])):
        for mount in container.get("volumeMounts") or []:
            for key, (resource, name) in _SOURCES.items():
                # The API server adds a volume of another kind for the service account.
                if source := volumes[mount["name"]].get(key):
                    optional = bool(source.get("optional"))
                    yield Mount(mount["mountPath"], resource, source[name], optional)


async def write(server: ApiServer, pod: Json, root: Path) -> bool:
    """Write them below `root`; whether all exist that the pod does not start without."""
    is_complete = True
    for mount in mounts(pod):
        namespace = pod["metadata"]["namespace"]
        path = f"/api/v1/namespaces/{namespace}/{mount.resource}/{mount.name}"
        found = await server.get(path)
        if found is None and not mount.is_optional:
            is_complete = False  # a pod that runs keeps what it has
            continue
        await asyncio.to_thread(write_files, mount.folder(root), mount.resource, found)
    return is_complete


def write_files(folder: Path, resource: str, found: Json | None) -> None:
    """Write the values of a ConfigMap or Secret as files, as a kubelet does; without it, none."""
    folder.mkdir(parents=True, exist_ok=True)
    values: Mapping[str, str] = (found or {}).get("data") or {}
    for name, value in values.items():
        text = base64.b64decode(value).decode() if resource == SECRETS else value
        file = folder / name
        if not file.exists() or file.read_text() != text:
            write_private(file, text)
    for file in folder.iterdir():
        if file.name not in values and file.is_file():
            file.unlink()


def with_folders(arguments: Sequence[str], pod: Json, root: Path) -> list[str]:
    """The arguments of a pod's program, with its mounts' folders in place of their paths."""
    found = []
    for given in arguments:
        argument = given
        for mount in mounts(pod):
            path = re.escape(mount.path.rstrip("/"))
            argument = re.sub(rf"(^|=){path}(?=/|$)", rf"\g<1>{mount.folder(root)}", argument)
        found.append(argument)
    return found
