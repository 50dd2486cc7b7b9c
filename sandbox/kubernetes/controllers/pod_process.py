"""A real program that runs in place of a simulated pod, with the pod's service account."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from sandbox.kubernetes import processes
from sandbox.kubernetes.api_server import ApiServer
from sandbox.kubernetes.folder import Folder, write_private

Json = dict[str, Any]


class PodProcess:
    """One program of one cluster; it runs for at most one pod."""

    def __init__(self, name: str, folder: Folder, *, binary: str | None = None) -> None:
        """`name` is the process's and the log's, and the binary's where that is not given."""
        self.name = name
        self.binary = binary or name
        self.port = 0
        """The port of 127.0.0.1 that it answers on, where its user notes one."""
        self.health_port = 0
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.pod = ""
        """The uid of the pod that it runs for."""

    @property
    def log(self) -> Path:
        """Its log file."""
        return self._folder.log(self.name)

    @property
    def kubeconfig(self) -> Path:
        """Its kubeconfig."""
        return self._folder.path / f"{self.name}.kubeconfig"

    def exit_code(self) -> int | None:
        """Its exit code; None while it runs, or if it was not started."""
        return self._process.poll() if self._process else None

    @property
    def is_started(self) -> bool:
        """Whether it was started and not stopped; it may have exited."""
        return self._process is not None

    async def authorize(self, server: ApiServer, pod: Json) -> None:
        """Write a kubeconfig with a token of the pod's service account."""
        namespace, account = pod["metadata"]["namespace"], pod["spec"]["serviceAccountName"]
        token = await server.token(namespace, account, pod)
        write_private(self.kubeconfig, kubeconfig(server, token, user=self.name))

    def start(
        self, pod: Json, binaries: Path, arguments: Sequence[str], environment: Mapping[str, str]
    ) -> None:
        """Start it for a pod."""
        program = self._folder.binaries / self.name
        program.unlink(missing_ok=True)
        try:
            program.symlink_to(binaries / self.binary)
        except OSError:  # the file system does not support links
            shutil.copy2(binaries / self.binary, program)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [program, *arguments],
                env={"HOME": str(self._folder.path), **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.pod = pod["metadata"]["uid"]

    def has_callers(self) -> bool:
        """Whether somebody is connected to its port."""
        if self._process is None:
            return False
        try:
            found = psutil.Process(self._process.pid).net_connections("tcp")
        except psutil.Error:
            return False
        return any(
            one.status == psutil.CONN_ESTABLISHED and one.laddr and one.laddr.port == self.port
            for one in found
        )

    def stop(self, *, grace: float = 0) -> None:
        """Kill it, if it runs; first ask it to end, and wait for `grace` seconds."""
        if self._process is not None:
            if grace:
                self._process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(grace)
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            self._process.wait()
        self._process, self.pod = None, ""

    def stop_others(self) -> None:
        """Kill those that an earlier daemon left: they use ports that no longer exist."""
        for process, name in processes.below(self._folder.path).items():
            if name == self.name:
                with contextlib.suppress(psutil.Error):
                    process.kill()
                    process.wait(5)


def is_ready(pod: Json) -> bool:
    """Whether a pod is ready and stays."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    return "deletionTimestamp" not in pod["metadata"] and any(
        one["type"] == "Ready" and one["status"] == "True" for one in conditions
    )


def write_secret(folder: Path, secret: Json | None) -> None:
    """Write a Secret's values as files, as the kubelet mounts them; no Secret: no files."""
    folder.mkdir(parents=True, exist_ok=True)
    values = (secret or {}).get("data") or {}
    for name, value in values.items():
        text = base64.b64decode(value).decode()
        file = folder / name
        if not file.exists() or file.read_text() != text:
            write_private(file, text)
    for file in folder.iterdir():
        if file.name not in values:
            file.unlink()


def kubeconfig(server: ApiServer, token: str, *, user: str) -> str:
    """A kubeconfig as JSON, which is valid YAML."""
    cluster = {"server": server.address, "certificate-authority": str(server.ca)}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "main", "cluster": cluster}],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [{"name": "main", "context": {"cluster": "main", "user": user}}],
            "current-context": "main",
        }
    )
