"""The engine: the Pulumi CLI, a Python language host, and the parts of a Kubernetes control plane.

`ensure()` finds them, downloads them or builds them, in that order, and says which it does. What
it makes lives in the user's cache directory, never in the checkout.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox.engine import build, pulumi_cli
from sandbox.engine.errors import EngineError

__all__ = ["Engine", "EngineError", "actionlint", "ensure"]

Progress = Callable[[str], None]
_CLI = "github.com/pulumi/pulumi/pkg/v3"
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """Where the tools are. All of them exist when `ensure()` returns one."""

    pulumi: Path
    """The Pulumi CLI."""
    language_host: Path | None
    """The official `pulumi-language-python`; None where ours stands in for it."""
    executor: Path | None
    """The script that runs a Python program, for our language host; None with the official one."""
    binaries: Path
    """Folder of kube-apiserver, kube-controller-manager, kube-scheduler, etcd, kwok, kwokctl,
    metrics-server and kubectl."""
    modules: Mapping[str, Path]
    """Data of Go modules that the tools read, `kwok`, `metrics-server` and `gateway-api`; and of
    what runs in a cluster as a pod of it, `postgres-operator`, the folder of its binary."""

    def install(self, folder: Path, home: Path) -> None:
        """Put `pulumi` and `kubectl` into `folder`, for a PATH; our host, if needed, into `home`.

        `home` is the PULUMI_HOME of whoever uses that PATH.
        """
        folder.mkdir(parents=True, exist_ok=True)
        _link(folder / "pulumi", self.pulumi)
        _link(folder / "kubectl", self.binaries / "kubectl")
        if self.language_host is not None:
            return  # it stands beside the CLI, which looks there first
        # On the PATH it would do as well, but not without a warning at every run.
        plugin = home / "plugins" / f"language-python-{build.version(build.PULUMI, _CLI)}"
        plugin.mkdir(parents=True, exist_ok=True)
        host = plugin / "pulumi-language-python"
        script = (
            "#!/bin/sh\n"
            f"PYTHONPATH='{_ROOT}'${{PYTHONPATH:+:$PYTHONPATH}} GRPC_ENABLE_FORK_SUPPORT=0 "
            f"exec '{sys.executable}' -m sandbox.engine.language_host '{self.executor}' \"$@\"\n"
        )
        partial = host.with_name(f".{host.name}.partial")
        partial.write_text(script)
        partial.chmod(0o755)
        partial.replace(host)


def ensure(progress: Progress = lambda _: None) -> Engine:
    """The engine, made ready.

    `progress` is given lines for a person; the first build of the tools takes minutes and
    happens once. Raises EngineError with the reason and the remedy.
    """
    cli = pulumi_cli.ensure(progress)
    control_plane = build.ensure(build.KUBERNETES, progress)
    operator = build.ensure(build.POSTGRES, progress)
    gateway_api = build.ensure(build.GATEWAY_API, progress)
    return Engine(
        pulumi=cli.pulumi,
        language_host=cli.language_host,
        executor=cli.executor,
        binaries=control_plane / "bin",
        modules={
            **_data(build.KUBERNETES, control_plane),
            **_data(build.GATEWAY_API, gateway_api),
            "postgres-operator": operator / "bin",
        },
    )


def _data(tool_set: build.ToolSet, entry: Path) -> dict[str, Path]:
    return {name: entry / "modules" / name for name in tool_set.module_folders}


def actionlint(progress: Progress = lambda _: None) -> Path:
    """The linter of the repository's GitHub workflows. Raises EngineError."""
    return build.ensure(build.ACTIONLINT, progress) / "bin" / "actionlint"


def _link(link: Path, target: Path) -> None:
    partial = link.with_name(f".{link.name}.partial")
    partial.unlink(missing_ok=True)
    try:
        partial.symlink_to(target)
    except OSError:  # a file system without links
        shutil.copy2(target, partial)
    partial.replace(link)
