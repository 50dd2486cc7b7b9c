"""Servers that a program of their pod starts: the program runs, and tells with which words.

The platform's `gpu_arguments.py` asks the driver which GPU the node has, and becomes the server
with the arguments for it. It is run as the kubelet would run it: with the files of its ConfigMap
and the container's variables. Its `nvidia-smi` tells of the device that nodes of the pool's type
have, and in place of the server is a program that prints its words. A program that fails is a
container that crashes, and its pod is not ready.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import httpx

from facts.gpu_devices import device_of
from sandbox.kubernetes.api_server import ApiServer, ApiServerError
from sandbox.traffic.model_servers.command_line import CommandLine

Json = dict[str, Any]
ACCELERATOR = "cloud.google.com/gke-accelerator"
PROGRAM = "gpu_arguments.py"
_log = logging.getLogger("sandbox.traffic.model_servers")
_AGAIN = 1.0
"""Seconds after which a ConfigMap that is missing is looked for again, as the kubelet does."""
_PATIENCE = 60.0


class StartError(Exception):
    """The program has ended without becoming the server."""


class StartedWords:
    """The pods of a cluster, with the command lines that such programs have made."""

    def __init__(self, server: ApiServer, changed: Callable[[], None]) -> None:
        """`changed` is called when another pod's words are known."""
        self._server = server
        self._changed = changed
        self._found: dict[str, Json] = {}
        """By a pod's uid: its containers as started."""
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def started(self, pods: Iterable[Json], accelerators: Mapping[str, str]) -> list[Json]:
        """The pods as started; without those whose program has not told its words yet.

        `accelerators` are the GPU types of the nodes that are known, by name; empty: it has none.
        """
        present, told = set(), []
        for pod in pods:
            if not any(map(is_started, pod["spec"]["containers"])):
                told.append(pod)
                continue
            uid = pod["metadata"]["uid"]
            present.add(uid)
            if containers := self._found.get(uid):
                told.append(_with(pod, containers))
                continue
            gpu = accelerators.get(pod["spec"].get("nodeName") or "")
            is_run = bool((pod.get("status") or {}).get("podIP"))
            # A node may be told later than its pods.
            if uid not in self._tasks and is_run and gpu is not None:
                self._tasks[uid] = asyncio.create_task(self._start(pod, gpu))
        for uid in [one for one in self._tasks if one not in present]:
            self._tasks.pop(uid).cancel()
            self._found.pop(uid, None)
        return told

    async def stop(self) -> None:
        """End what runs."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _start(self, pod: Json, gpu: str) -> None:
        name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
        containers = {}
        for one in pod["spec"]["containers"]:
            if not is_started(one):
                continue
            try:
                files = await self._files(pod, one)
                words = await run(one, files, gpu=gpu)
            except StartError as error:
                _log.error("pod %s, container %s: %s", name, one["name"], error)
                await self._crash(pod, str(error))
                return
            _log.info("pod %s, container %s: %s", name, one["name"], shlex.join(words))
            containers[one["name"]] = {**one, "command": words, "args": []}
        self._found[uid] = containers
        self._changed()

    async def _files(self, pod: Json, container: Json) -> dict[str, dict[str, str]]:
        """The ConfigMaps' files by mount path. Waits for ConfigMaps that are missing."""
        maps = {
            one["name"]: one["configMap"]["name"]
            for one in pod["spec"].get("volumes") or ()
            if "configMap" in one
        }
        found: dict[str, dict[str, str]] = {}
        for mount in container.get("volumeMounts") or ():
            if (name := maps.get(mount["name"])) is None:
                continue
            path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/configmaps/{name}"
            while mount["mountPath"] not in found:
                with contextlib.suppress(ApiServerError, httpx.HTTPError, OSError):
                    if (one := await self._server.get(path)) is not None:
                        found[mount["mountPath"]] = one.get("data") or {}
                        break
                await asyncio.sleep(_AGAIN)
        return found

    async def _crash(self, pod: Json, reason: str) -> None:
        """Have the pod's status say that its container crashes, as the kubelet's would."""
        metadata = pod["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/status"
        try:
            await self._server.request(
                "PATCH",
                path,
                {"status": crashed(pod, reason)},
                content_type="application/merge-patch+json",
            )
        except (ApiServerError, httpx.HTTPError, OSError) as error:
            _log.error("pod %s: its status cannot be written: %s", metadata["name"], error)


def is_started(container: Json) -> bool:
    """Whether a program that chooses arguments starts the container's server."""
    return any(str(word).endswith(f"/{PROGRAM}") for word in container.get("command") or ())


async def run(container: Json, files: Mapping[str, Mapping[str, str]], *, gpu: str) -> list[str]:
    """The words with which the server is started. Raises StartError.

    `files` are those of the mounted ConfigMaps, by path; `gpu` is the type of the node's GPUs.
    """
    line = CommandLine(container)
    limits = (container.get("resources") or {}).get("limits") or {}
    count = int(limits.get("nvidia.com/gpu") or 0)
    with tempfile.TemporaryDirectory(prefix="container-") as folder:
        root = Path(folder)
        for number, (path, data) in enumerate(files.items()):
            mounted = root / str(number)
            mounted.mkdir()
            for name, text in data.items():
                (mounted / name).write_text(text)
            line.words = tuple(
                f"{mounted}{word.removeprefix(path)}" if word.startswith(f"{path}/") else word
                for word in line.words
            )
        programs = root / "bin"
        programs.mkdir()
        _write(programs / "nvidia-smi", _driver(gpu, count))
        own = next(i for i, word in enumerate(line.words) if PurePosixPath(word).name == PROGRAM)
        server = PurePosixPath(line.words[own + 1]).name
        _write(programs / server, "printf '%s\\0' \"$@\"\n")
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *line.words[1 : own + 1],
            server,
            *line.words[own + 2 :],
            env={**line.environment, "PATH": str(programs)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(_PATIENCE):
                told, said = await process.communicate()
        except TimeoutError:
            raise StartError(f"{PROGRAM} has not ended") from None
        finally:
            if process.returncode is None:
                process.kill()
    if process.returncode:
        reason = said.decode(errors="replace").strip() or f"exit code {process.returncode}"
        raise StartError(reason.splitlines()[-1])
    return [line.words[own + 1], *os.fsdecode(told).split("\0")[:-1]]


def crashed(pod: Json, reason: str) -> Json:
    """The status of a pod whose containers end as soon as they are started."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    status = pod["status"]
    ended = {"exitCode": 1, "reason": "Error", "message": reason, "finishedAt": now}
    return {
        "conditions": [
            {
                **one,
                "status": "False",
                "reason": "ContainersNotReady",
                "lastTransitionTime": now,
            }
            if one["type"] in {"Ready", "ContainersReady"}
            else one
            for one in status.get("conditions") or ()
        ],
        "containerStatuses": [
            {
                **one,
                "ready": False,
                "started": False,
                "restartCount": 5,
                "state": {
                    "waiting": {
                        "reason": "CrashLoopBackOff",
                        "message": f"back-off 2m40s restarting failed container={one['name']}",
                    }
                },
                "lastState": {"terminated": ended},
            }
            for one in status.get("containerStatuses") or ()
        ],
    }


def _driver(gpu: str, count: int) -> str:
    """What answers as `nvidia-smi`: of the device alone, and only what it was asked."""
    device = device_of(gpu)
    if not count or not gpu:
        return "echo 'No devices were found'; exit 6\n"
    row = f"{device.name}, {device.mebibytes}" if device else f"{gpu}, 1"
    rows = " ".join([shlex.quote(row)] * count)
    asked = "--query-gpu=name,memory.total --format=csv,noheader,nounits"
    return (
        f'[ "$*" = "{asked}" ] || {{ echo "the sandbox knows no such query: $*" >&2; exit 2; }}\n'
        f"printf '%s\\n' {rows}\n"
    )


def _write(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}")
    path.chmod(0o700)


def _with(pod: Json, containers: Json) -> Json:
    own = [containers.get(one["name"], one) for one in pod["spec"]["containers"]]
    return {**pod, "spec": {**pod["spec"], "containers": own}}
