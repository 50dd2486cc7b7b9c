"""The tools of a rehearsal: Pulumi's CLI and language host, and a Kubernetes control plane.

`ensure()` finds, downloads or builds them, in that order, and reports which. Built tools are in the
user's cache directory, never in the checkout.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from sandbox.engine import build, google_plugin, kubernetes_plugin, pulumi_cli, tools
from sandbox.engine.errors import EngineError
from sandbox.interpreter.script import script

__all__ = [
    "Engine",
    "EngineError",
    "Progress",
    "actionlint",
    "ensure",
    "google_plugin",
    "keda",
    "postgres_operator",
    "prometheus",
    "rate_limit",
]

Progress = Callable[[str], None]
_CLI = "github.com/pulumi/pulumi/pkg/v3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """The paths of the tools. All of them exist once `ensure()` has returned."""

    pulumi: Path
    """The Pulumi CLI."""
    language_host: Path | None
    """The official `pulumi-language-python`; None if ours replaces it."""
    executor: Path | None
    """The script with which our language host runs a program; None with the official host."""
    kubernetes_plugin: Path
    """The provider of pulumi-kubernetes."""
    binaries: Path
    """Folder of kube-apiserver, kube-controller-manager, kube-scheduler, etcd, kwok, kwokctl,
    metrics-server and kubectl."""
    modules: Mapping[str, Path]
    """Data of Go modules, by name: `kwok`, `metrics-server`, `gateway-api`, `inference-gateway`."""

    def install(self, folder: Path, home: Path, interpreter: Path | None = None) -> None:
        """Put `pulumi` and `kubectl` into `folder`, for a PATH, and plugins into `home`.

        `home` is the PULUMI_HOME that belongs to that PATH. The plugins are the Kubernetes provider
        and, if needed, our language host, which asks the preloaded interpreter at `interpreter`.
        """
        _link(folder / "pulumi", self.pulumi)
        _link(folder / "kubectl", self.binaries / "kubectl")
        plugins = home / "plugins"
        provider = f"resource-kubernetes-v{version('pulumi-kubernetes')}"
        plugin = plugins / provider / kubernetes_plugin.BINARY
        _write_script(plugin, kubernetes_plugin.script(self.kubernetes_plugin, home / "tmp"))
        if self.language_host is not None:
            return  # it is beside the CLI, which looks there first
        # On the PATH it would work as well, but with a warning on every run.
        folder = plugins / f"language-python-{build.version(build.PULUMI, _CLI)}"
        words = (str(self.executor), str(interpreter or ""))
        host = script("sandbox.engine.language_host", *words, interpreter=interpreter)
        _write_script(folder / "pulumi-language-python", host)


def ensure(progress: Progress = lambda _: None) -> Engine:
    """Find, download or build the tools that every environment needs.

    `progress` receives lines for the user; the first build takes minutes and happens once.
    Raises EngineError with the reason and a hint.
    """
    cli = pulumi_cli.ensure(progress)
    control_plane = tools.ensure(build.KUBERNETES, progress)
    gateway_api = tools.ensure(build.GATEWAY_API, progress)
    plugin = kubernetes_plugin.ensure(cli.pulumi, progress)
    return Engine(
        pulumi=cli.pulumi,
        language_host=cli.language_host,
        executor=cli.executor,
        kubernetes_plugin=plugin,
        binaries=control_plane / "bin",
        modules={
            **_data(build.KUBERNETES, control_plane),
            **_data(build.GATEWAY_API, gateway_api),
        },
    )


def _data(tool_set: build.ToolSet, entry: Path) -> dict[str, Path]:
    return {name: entry / "modules" / name for name in tool_set.module_folders}


def keda(progress: Progress = lambda _: None) -> Path:
    """The folder of KEDA's binaries; only models that scale on metrics need it. EngineError."""
    return tools.ensure(build.KEDA, progress) / "bin"


def prometheus(progress: Progress = lambda _: None) -> Path:
    """The folder of Prometheus; only clusters that collect metrics need it. Raises EngineError."""
    return tools.ensure(build.PROMETHEUS, progress) / "bin"


def postgres_operator(progress: Progress = lambda _: None) -> Path:
    """The folder of Zalando's operator; only clusters with databases need it. EngineError."""
    return tools.ensure(build.POSTGRES, progress) / "bin"


def inference_gateway(progress: Progress = lambda _: None) -> Path:
    """The folder of `epp` and `bbr`; only models behind an inference gateway need it. EngineError.

    They are built on every machine: they have to find pods at addresses that nobody can dial.
    """
    return tools.ensure(build.INFERENCE_GATEWAY, progress) / "bin"


def rate_limit(progress: Progress = lambda _: None) -> Path:
    """The folder of `ratelimit`; only models with callers need it. Raises EngineError."""
    return tools.ensure(build.RATE_LIMIT, progress) / "bin"


def leader_worker_sets(progress: Progress = lambda _: None) -> Path:
    """The folder of LWS; only models on several hosts need it. Raises EngineError."""
    return tools.ensure(build.LEADER_WORKER_SETS, progress) / "bin"


def actionlint(progress: Progress = lambda _: None) -> Path:
    """The linter of the repository's GitHub workflows. Raises EngineError."""
    return tools.ensure(build.ACTIONLINT, progress) / "bin" / "actionlint"


def _link(link: Path, target: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    partial = link.with_name(f".{link.name}.partial")
    partial.unlink(missing_ok=True)
    try:
        partial.symlink_to(target)
    except OSError:  # the file system has no links
        shutil.copy2(target, partial)
    partial.replace(link)


def _write_script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    partial.write_text(text)
    partial.chmod(0o755)
    partial.replace(path)
