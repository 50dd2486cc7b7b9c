"""A real program that runs in place of a simulated pod, with the pod's service account."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from sandbox.kubernetes.api_server import ApiServer
from sandbox.kubernetes.folder import Folder, write_private

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What a component runs for a pod."""

    binary: Path
    arguments: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    calls_api_server: bool = True
    """Whether it needs the rights of the pod's service account."""


class PodProcess:
    """One process of one cluster; it runs for at most one pod."""

    def __init__(self, name: str, folder: Folder, root: Path) -> None:
        """`root` is the folder with the pod's files."""
        self.name = name
        self.root = root
        self.port = 0
        """The port of 127.0.0.1 that it answers on, where its user notes one."""
        self.health_port = 0
        self.metrics_port = 0
        self.pod = ""
        """The uid of the pod that it runs for."""
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """Its log file."""
        return self._folder.log(self.name)

    @property
    def kubeconfig(self) -> Path:
        """Its kubeconfig."""
        return self._folder.path / f"{self.name}.kubeconfig"

    def exit_code(self) -> int | None:
        """Its exit code; None while it runs."""
        return self._process.poll() if self._process else None

    async def start(self, server: ApiServer, pod: Json, program: Program) -> None:
        """Start a program for a pod."""
        if program.calls_api_server:
            namespace, account = pod["metadata"]["namespace"], pod["spec"]["serviceAccountName"]
            token = await server.token(namespace, account, pod)
            write_private(self.kubeconfig, kubeconfig(server, token, user=self.name))
        # `processes` finds it by this path.
        link = self._folder.binaries / self.name
        link.unlink(missing_ok=True)
        try:
            link.symlink_to(program.binary)
        except OSError:  # the file system does not support links
            shutil.copy2(program.binary, link)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [link, *program.arguments],
                env={"HOME": str(self._folder.path), **program.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.pod = pod["metadata"]["uid"]

    def may_have_callers(self) -> bool:
        """Whether somebody is connected to its port, or nobody can tell since it has none."""
        if self._process is None or self._process.poll() is not None:
            return False
        if not self.port:
            return True
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
        if self._process is None:
            return
        if grace:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(grace)
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        self._process = None


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
