"""A copy of the repository with its own sandbox, used from outside as a user would.

The copy lets a test edit the stack file; the code is the same.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from gkeplatform.layers import LAYERS

ROOT = Path(__file__).resolve().parents[2]
PROJECTS = {layer.name: layer.directory for layer in LAYERS}
FORKED = "forked by the preloaded interpreter:"
# Bytecode is copied: compiling it anew takes each workspace seconds.
NOT_COPIED = shutil.ignore_patterns(
    ".git", ".venv", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis",
    ".import_linter_cache",
)  # fmt: skip


@dataclass
class Workspace:
    """A copy of the repository and a sandbox home of its own."""

    root: Path
    home: Path
    _environment: dict[str, str] = field(default_factory=dict)

    @property
    def temporary(self) -> Path:
        """Where its commands make temporary files."""
        return self.home.with_name("tmp")

    def base_environment(self) -> dict[str, str]:
        """This process's environment with the copy's code on the path and its own sandbox home.

        What a killed command leaves is below the tests' folder.
        """
        self.temporary.mkdir(parents=True, exist_ok=True)
        return {
            **os.environ,
            "PYTHONPATH": str(self.root),
            "PLATFORM_SANDBOX_HOME": str(self.home),
            "TMPDIR": str(self.temporary),
            "NO_COLOR": "1",
            "PLATFORM_PLUGINS": "own",  # the same with and without internet
        }

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "cli", *arguments]

    def platformctl(
        self, *arguments: str, check: bool = True, timeout: float = 400
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.root,
            env=self.base_environment(),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=timeout,
            check=False,
        )
        if check:
            assert done.returncode == 0, (
                f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
            )
        return done

    def environment(self) -> Mapping[str, str]:
        """The variables that `eval "$(./platformctl sandbox env)"` sets."""
        if not self._environment:
            text = self.platformctl("sandbox", "env").stdout
            pairs = (shlex.split(line)[1] for line in text.splitlines() if line.strip())
            self._environment = dict(pair.split("=", 1) for pair in pairs)
        return {**self.base_environment(), **self._environment}

    def forget(self) -> None:
        """Forget the variables: a sandbox that was reset has others."""
        self._environment.clear()

    def run(
        self, *command: str, layer: str | None = None, check: bool = True, timeout: float = 300
    ) -> subprocess.CompletedProcess[str]:
        """Run a command with the sandbox's variables in a layer's folder."""
        done = subprocess.run(
            command,
            cwd=self.root / PROJECTS[layer] if layer else self.root,
            env=dict(self.environment()),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=timeout,
            check=False,
        )
        if check:
            assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def rehearse(self, environment: str = "dev") -> dict[str, Any]:
        document: dict[str, Any] = json.loads(
            self.platformctl("rehearse", environment, "--json").stdout
        )
        return document

    def kubectl(self, *arguments: str, check: bool = True) -> str:
        return self.run("kubectl", *arguments, check=check).stdout

    def kubernetes_of(self, environment: str, *arguments: str) -> Any:
        """Run kubectl against the cluster of one environment."""
        context = self.context_of(environment)
        return json.loads(self.kubectl("--context", context, "get", *arguments, "-o", "json"))

    def context_of(self, environment: str) -> str:
        """The context of one environment's cluster, as the committed file has it."""
        cluster = f"acme-ml-{environment}"
        return f"gke_{cluster}_europe-west4_{cluster}-cluster"

    def kubernetes(self, *arguments: str) -> Any:
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def evict(self, namespace: str, pod: str) -> str:
        """The API server's answer to an eviction, as a drain requests it."""
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod, "namespace": namespace},
        }
        path = self.home / f"eviction-{pod}.json"
        path.write_text(json.dumps(body))
        url = f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction"
        done = self.run("kubectl", "create", "--raw", url, "-f", str(path), check=False)
        return done.stdout + done.stderr

    def google(self, service: str, path: str, method: str = "GET", **options: Any) -> Any:
        """A request to the emulated API by the address that the environment names."""
        base = self.environment()[f"GOOGLE_{service.upper()}_CUSTOM_ENDPOINT"]
        answer = httpx.request(
            method, base + path, headers={"Authorization": "Bearer any"}, timeout=60, **options
        )
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def state(self, layer: str, environment: str = "dev") -> dict[str, Any]:
        """The stack's deployment, secrets encrypted."""
        text = self.run("pulumi", "stack", "export", "-s", environment, layer=layer).stdout
        deployment: dict[str, Any] = json.loads(text)["deployment"]
        return deployment

    def processes(self) -> list[psutil.Process]:
        """The processes of this home: those that name it or have it in their environment."""
        mark, found = str(self.home), []
        for process in psutil.process_iter():
            try:
                if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                    continue
                ours = any(mark in part for part in process.cmdline()) or (
                    process.environ().get("PLATFORM_SANDBOX_HOME") == mark
                )
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
            if ours:
                found.append(process)
        return found


def command_line(process: psutil.Process) -> str:
    """The process's command line, empty once it has ended.

    A program or plugin in the preloaded interpreter has the interpreter's; it is marked.
    """
    try:
        line = process.cmdline()
        parent = process.parent()
        if "sandbox.interpreter.server" in line and parent and parent.cmdline() == line:
            return " ".join([FORKED, *line])
        return " ".join(line)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return ""


def changed(document: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """The changes of each layer in the JSON document of a rehearsal, without what is unchanged."""
    return {
        layer["layer"]: {kind: n for kind, n in layer["changes"].items() if kind != "same" and n}
        for layer in document["layers"]
    }


def workspace_in(folder: Path) -> Workspace:
    root = folder / "repository"
    shutil.copytree(ROOT, root, ignore=NOT_COPIED)
    (root / ".venv").symlink_to(ROOT / ".venv")
    return Workspace(root=root, home=folder / "home")
