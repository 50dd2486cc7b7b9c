"""The lists of LoRA adapters that sidecars of pods read from ConfigMaps.

The platform's sidecar (`adapter_sync.py`) tells its pod's server to load what the list has. Nothing
runs in pods here, so the list is read in its place, at once; a real one is a minute later.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sandbox import tasks
from sandbox.kubernetes.api_server import ApiServer
from sandbox.kubernetes.controllers.informer import Informer
from sandbox.traffic.model_servers.command_line import CommandLine

Json = Mapping[str, Any]
Lists = Mapping[tuple[str, str], Mapping[str, str]]
"""The folders of adapters by name, by the namespace and name of the ConfigMap."""
_PROGRAM = "adapter_sync.py"
_FILE = "adapters.json"


def list_of(spec: Json) -> str | None:
    """The ConfigMap whose list a sidecar of the pod reads; None: it has no such sidecar."""
    for container in (*(spec.get("initContainers") or ()), *spec["containers"]):
        line = CommandLine(container)
        if _PROGRAM not in line.programs:
            continue
        folder = (line.value("list") or "").rpartition("/")[0]
        mounted = {one["mountPath"]: one["name"] for one in container.get("volumeMounts") or ()}
        for volume in spec.get("volumes") or ():
            if volume["name"] == mounted.get(folder) and "configMap" in volume:
                return str(volume["configMap"]["name"])
    return None


def adapters(config_map: Json, folder: str = "/adapters") -> dict[str, str]:
    """The adapters that a ConfigMap lists; none if it cannot be read."""
    try:
        listed = json.loads((config_map.get("data") or {}).get(_FILE) or "[]")
        return {str(one["name"]): f"{folder}/{one['folder']}" for one in listed}
    except (ValueError, KeyError, TypeError):
        return {}


class AdapterLists:
    """The lists of a cluster, watched from the first pod on that has one."""

    def __init__(self, server: ApiServer, changed: Callable[[Lists], None]) -> None:
        """`changed` gets all lists that are wanted, each time one may have changed."""
        self._informer = Informer(server, "/api/v1/configmaps", self._tell)
        self._changed = changed
        self._wanted: frozenset[tuple[str, str]] = frozenset()
        self._task: asyncio.Task[None] | None = None

    def want(self, wanted: Iterable[tuple[str, str]]) -> None:
        """Say which lists pods read now, by namespace and name."""
        self._wanted = frozenset(wanted)
        if self._wanted and self._task is None:
            self._task = asyncio.create_task(self._informer.run())
        elif self._informer.synced.is_set():
            self._tell()

    async def stop(self) -> None:
        """Stop watching."""
        await tasks.end([self._task])

    def _tell(self) -> None:
        found = {}
        for one in self._informer.objects() if self._wanted else ():
            key = one["metadata"]["namespace"], one["metadata"]["name"]
            if key in self._wanted:
                found[key] = adapters(one)
        if found:
            self._changed(found)
