"""What a sandbox's home holds for Pulumi: the CLI, the plugins, and the stacks' salt.

The home's `pulumi` is `pulumi.sh`, so that the CLI does not write the salt into the repository.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from sandbox import services
from sandbox.engine import Engine
from sandbox.home import Home, SandboxError, disk_error, write_private
from sandbox.interpreter.script import script
from sandbox.kubernetes import auth_plugin

ROOT = Path(__file__).resolve().parents[1]
# The plugins of our own; the engine's installation brings that of pulumi-kubernetes.
PLUGINS = {"gcp": "pulumi-gcp", "random": "pulumi-random"}

_PULUMI = ROOT / "sandbox" / "pulumi.sh"
# The Kubernetes provider's requests a second. By default 50, to spare the API server of a cluster
# that others use.
_KUBERNETES_CLIENT = {
    "PULUMI_K8S_CLIENT_QPS": "1000",
    "PULUMI_K8S_CLIENT_BURST": "1000",
    # The built provider is older than the option of this name, which the layers set.
    "PULUMI_K8S_ENABLE_PATCH_FORCE": "true",
}


def install(home: Home, engine: Engine, google_plugin: Path | None = None) -> None:
    """Install everything; replaces what is there already. Raises SandboxError.

    `google_plugin` is the official plugin for Google Cloud; without it, ours is installed.
    """
    try:
        engine.install(home.binaries, home.pulumi, home.interpreter)
        auth_plugin.install(home.binaries, token_file=home.token)
        words = (_PULUMI, engine.pulumi, home.path)
        wrapper = " ".join(shlex.quote(str(word)) for word in words)
        _write_script(home.binaries / "pulumi", f'#!/bin/sh\nexec /bin/sh {wrapper} "$@"\n')
        for name, package in PLUGINS.items():
            folder = home.pulumi / "plugins" / f"resource-{name}-v{version(package)}"
            binary = folder / f"pulumi-resource-{name}"
            if name == "gcp" and google_plugin is not None:
                _write_link(binary, google_plugin)
            else:
                module = f"sandbox.plugins.{name}"
                _write_script(binary, script(module, interpreter=home.interpreter))
        official = google_plugin is not None
        home.plugins.write_text("official\n" if official else "own\n")
    except OSError as error:
        raise disk_error(home.path, error) from error
    if not home.salt.exists():
        _make_salt(home, engine)


def _write_script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(text)
    partial.chmod(0o755)
    partial.replace(path)


def _write_link(path: Path, target: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.unlink(missing_ok=True)
    partial.symlink_to(target)
    partial.replace(path)


def _make_salt(home: Home, engine: Engine) -> None:
    """Let the CLI make a salt for the home's passphrase, in a throw-away stack."""
    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch, "Pulumi.yaml").write_text("name: salt\nruntime: python\n")
        environment = {
            **os.environ,
            "PULUMI_HOME": scratch,
            "PULUMI_BACKEND_URL": f"file://{scratch}",
            "PULUMI_CONFIG_PASSPHRASE_FILE": str(home.passphrase),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }
        environment.pop("PULUMI_CONFIG_PASSPHRASE", None)
        done = subprocess.run(
            [engine.pulumi, "stack", "init", "salt", "--non-interactive"],
            cwd=scratch,
            env=environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        file = Path(scratch, "Pulumi.salt.yaml")
        lines = file.read_text().splitlines() if file.exists() else []
    salt = next((line for line in lines if line.startswith("encryptionsalt:")), None)
    if done.returncode or salt is None:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise SandboxError(f"pulumi cannot make a stack: {reason}", "see whether `pulumi` runs")
    write_private(home.salt, f"\n{salt}\n")


def environment(home: Home, port: int, base: Mapping[str, str]) -> dict[str, str]:
    """The variables that make a shell or a process use the sandbox."""
    path = os.pathsep.join(
        [
            str(home.binaries),
            *(p for p in base.get("PATH", "").split(os.pathsep) if p != str(home.binaries)),
        ]
    )
    return {
        "PLATFORM_SANDBOX_HOME": str(home.path),
        "PATH": path,
        "PULUMI_HOME": str(home.pulumi),
        "PULUMI_BACKEND_URL": f"file://{home.state}?metadata=skip",
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(home.passphrase),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_OPTION_POLICY_PACK": str(ROOT / "policies"),
        "KUBECONFIG": str(home.kubeconfig),
        **_KUBERNETES_CLIENT,
        "GOOGLE_OAUTH_ACCESS_TOKEN": home.token.read_text().strip(),
        "USE_GKE_GCLOUD_AUTH_PLUGIN": "True",
        # The official plugin would ask compute's own address for the regions.
        "PULUMI_GCP_SKIP_REGION_VALIDATION": "true",
        **services.addresses(f"http://127.0.0.1:{port}"),
    }


# Variables that lead to a real account or backend; a rehearsal must not have them.
FOREIGN = (
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_CREDENTIALS",
    "GOOGLE_IMPERSONATE_SERVICE_ACCOUNT",
    "GOOGLE_PROJECT",
    "GOOGLE_CLOUD_PROJECT",
    "GOOGLE_REGION",
    "GOOGLE_ZONE",
    "PULUMI_ACCESS_TOKEN",
    "PULUMI_CONFIG_PASSPHRASE",
    "PULUMI_OPTION_CONFIG_FILE",
)
