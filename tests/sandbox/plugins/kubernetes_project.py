"""A project that declares Kubernetes objects, deployed by the real engine and provider."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from cli import failures, process
from cli.events import Run
from sandbox import engine

Json = dict[str, Any]
_ROOT = Path(__file__).resolve().parents[3]
_VENV = Path(sys.executable).parent.parent
_PROGRAM = """
import json
import pathlib

import pulumi
from gkeplatform import providers
from gkeplatform.contracts import SecretText

declared = json.loads(pathlib.Path("objects.json").read_text())
cluster = providers.cluster(SecretText(pathlib.Path("kubeconfig").read_text()))
for name, (token, properties, secrets) in declared.items():
    hidden = {key: pulumi.Output.secret(value) for key, value in secrets.items()}
    options = pulumi.ResourceOptions(provider=cluster)
    pulumi.CustomResource(token, name, {**properties, **hidden}, options)
"""


@dataclass(frozen=True, slots=True)
class Declared:
    """One object of the program, with the names of its secret properties."""

    token: str
    properties: Json
    secrets: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one command of the engine changed and reported."""

    code: int
    run: Run
    output: str

    @property
    def reasons(self) -> str:
        """The reasons of a failure, as the command line shows them."""
        return "\n".join(failures.reasons(self.run.errors) or [failures.last(self.output)])


class Project:
    """A project in a folder of its own, with a stack."""

    def __init__(self, folder: Path, kubeconfig: str) -> None:
        tools = engine.ensure()
        self.folder = folder / "project"
        self.folder.mkdir(parents=True)
        tools.install(folder / "bin", folder / "home")
        self._pulumi = folder / "bin" / "pulumi"
        (folder / "state").mkdir()
        (self.folder / "Pulumi.yaml").write_text(
            f"name: gke-test\nruntime: {{name: python, options: {{virtualenv: {_VENV}}}}}\n"
        )
        (self.folder / "__main__.py").write_text(_PROGRAM)
        self.point_to(kubeconfig)
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("PULUMI_")},
            "PATH": f"{folder / 'bin'}:{tools.pulumi.parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(_ROOT),
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "a test",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_K8S_ENABLE_PATCH_FORCE": "true",  # as in the sandbox
            "PULUMI_DEBUG_COMMANDS": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }
        self._plain("stack", "init")

    def point_to(self, kubeconfig: str) -> None:
        """Choose the cluster."""
        (self.folder / "kubeconfig").write_text(kubeconfig)

    def declare(self, objects: Mapping[str, Declared]) -> None:
        """Replace the objects of the program."""
        found = {name: [d.token, d.properties, d.secrets] for name, d in objects.items()}
        (self.folder / "objects.json").write_text(json.dumps(found))

    def up(self, objects: Mapping[str, Declared]) -> Outcome:
        """Deploy these objects, and no others."""
        self.declare(objects)
        return self.update("up", "--yes", "--skip-preview")

    def update(self, *arguments: str) -> Outcome:
        """Run a command of `pulumi` that has an event log, such as `up` or `preview`."""
        run = Run(is_preview=arguments[0] == "preview")

        def take(line: str) -> None:
            run.take(json.loads(line))

        code, run.interrupted, output = process.run(
            [str(self._pulumi), *arguments, "--stack", "dev"],
            folder=self.folder,
            environment=self._environment,
            interactive=False,
            take=take,
        )
        return Outcome(code, run, output)

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        for child in psutil.Process().children():
            # Children that others started may end, or have ended, while they are looked at.
            with contextlib.suppress(psutil.NoSuchProcess):
                if child.cmdline()[:1] == [str(self._pulumi)]:
                    child.send_signal(signal.SIGINT)

    def state(self) -> dict[str, Json]:
        """The stack's resources by name, secrets encrypted."""
        exported: Json = json.loads(self._plain("stack", "export"))
        found = exported["deployment"].get("resources") or []
        return {resource["urn"].rpartition("::")[2]: resource for resource in found}

    def _plain(self, *arguments: str) -> str:
        return subprocess.run(
            [self._pulumi, *arguments, "--stack", "dev"],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
