"""The provider of pulumi-kubernetes: an installed one, else a downloaded one, else one built here.

Its version is that of the SDK in the virtual environment, which is the one that the engine asks
for. The Go module proxy has no release of the provider, only a commit of 2026-01-15: the built one
has that code under the SDK's version, with the one change below.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from sandbox.engine import build, cache, tools
from sandbox.engine.errors import EngineError

Progress = Callable[[str], None]
BINARY = "pulumi-resource-kubernetes"
MODULE = "github.com/pulumi/pulumi-kubernetes/provider/v4"
_PACKAGE = "pulumi-kubernetes"
_EMBEDDED = "cmd/pulumi-resource-kubernetes"
# Releases since 2026-04 refuse to create an object that exists already (pulumi-kubernetes#4278);
# that commit takes it over. Patches do apply to existing objects.
_CREATES = build.Edit(
    file="pkg/await/await.go",
    old="if c.ServerSideApply {\n\t\t\t\tforce := patchForce(c.Inputs, nil, c.Preview)",
    new="if c.ServerSideApply && kinds.IsPatchResource(c.URN, c.Inputs.GetKind()) {\n"
    "\t\t\t\tforce := patchForce(c.Inputs, nil, c.Preview)",
)
_SCRIPT = """#!/bin/sh
scratch={scratch}
TMPDIR=$scratch/$$
for one in "$scratch"/*; do
  kill -0 "${{one##*/}}" 2>/dev/null || rm -rf "$one" 2>/dev/null
done
mkdir -p "$scratch" && mkdir -p -m 700 "$TMPDIR" || exit 1
export TMPDIR
exec {binary} "$@"
"""
_FAILURE = "Error downloading plugin: "


def ensure(pulumi: Path, progress: Progress) -> Path:
    """The provider's binary; `pulumi` is the CLI that downloads it. Raises EngineError.

    A download is tried once: after that, the one that was built is used.
    """
    ways = tools.wanted()
    found = installed()
    if found is None and tools.DOWNLOAD in ways:
        found = _in_home(cache.directory() / _downloaded_entry())
    is_built = tools.BUILD in ways and build.is_built(tool_set())
    if found is None and tools.DOWNLOAD in ways and not is_built:
        found = _download(pulumi, progress, only=tools.BUILD not in ways)
    return found or build.ensure(tool_set(), progress) / "bin" / BINARY


def installed() -> Path | None:
    """The provider in the user's PULUMI_HOME, where `pulumi plugin ls` finds it."""
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    own = os.environ.get("PLATFORM_SANDBOX_HOME")
    if own and home.is_relative_to(own):
        # In the environment of `platformctl sandbox env`, it is the sandbox's.
        home = Path.home() / ".pulumi"
    return _in_home(home)


def tool_set() -> build.ToolSet:
    """The build: `modules/pulumi-kubernetes/main.go` around the provider's packages."""
    sdk = version(_PACKAGE)
    return build.ToolSet(
        name=_PACKAGE,
        minutes="8 to 10 minutes",
        tools={BINARY: "gkeplatform/sandbox/engine/pulumi-kubernetes"},
        variables={"main.version": sdk, f"{MODULE}/pkg/version.Version": sdk},
        edits={MODULE: (_CREATES,)},
        embedded={MODULE: (f"{_EMBEDDED}/schema.json", f"{_EMBEDDED}/terraform-mapping.json")},
    )


def script(binary: Path, scratch: Path) -> str:
    """The script that runs the provider in a folder of its own below `scratch`.

    The provider writes its kubeconfig into the temporary directory and leaves it there: into
    `os.CreateTemp("", "kubeconfig")`, `provider/pkg/provider/util.go`. So each run has a directory
    that bears its process id, and removes those of runs that have ended.
    """
    return _SCRIPT.format(binary=shlex.quote(str(binary)), scratch=shlex.quote(str(scratch)))


def _in_home(home: Path) -> Path | None:
    """The provider in a PULUMI_HOME, unless its installation was interrupted."""
    folder = home / "plugins" / f"resource-kubernetes-v{version(_PACKAGE)}"
    binary = folder / BINARY
    return binary if binary.is_file() and not _marker(folder).exists() else None


def _marker(folder: Path) -> Path:
    """The file that the CLI leaves while it installs a plugin."""
    return folder.with_name(f"{folder.name}.partial")


def _downloaded_entry() -> str:
    return f"{_PACKAGE}-official-{version(_PACKAGE)}"


def _download(pulumi: Path, progress: Progress, *, only: bool) -> Path | None:
    """The provider that the CLI downloads; None if it cannot.

    Raises EngineError instead of that if `only` a download is wanted.
    """
    progress("looking for the official Kubernetes plugin")

    def install(home: Path) -> None:
        failure = _install(pulumi, home)
        if failure is None and _in_home(home) is None:
            failure = "the CLI installed nothing"
        if failure is not None:
            raise _UnavailableError(failure)

    name = _downloaded_entry()
    try:
        return _in_home(cache.entry(name, install, lambda: progress("waiting for a download")))
    except _UnavailableError as error:
        if only:
            raise EngineError(
                f"the official Kubernetes plugin cannot be had: {error}",
                f"check the network, or unset {tools.VARIABLE}",
            ) from error
        progress(f"the official Kubernetes plugin cannot be had ({error}): building it instead")
        return None


class _UnavailableError(Exception):
    """The plugin cannot be downloaded: the reason."""


def _install(pulumi: Path, home: Path) -> str | None:
    """Let the CLI install the plugin into a PULUMI_HOME; returns why it failed, or None."""
    command = [str(pulumi), "plugin", "install", "resource", "kubernetes", version(_PACKAGE)]
    environment = {**os.environ, "PULUMI_HOME": str(home), "PULUMI_SKIP_UPDATE_CHECK": "true"}
    last = "no reason given"
    with subprocess.Popen(
        [*command, "--non-interactive", "--color", "never"],
        env=environment,
        cwd=home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as child:
        try:
            for line in child.stdout or ():
                if _FAILURE in line:
                    # It would try five more times, each of which may wait for a firewall.
                    child.kill()
                    return _short(line.partition(_FAILURE)[2])
                last = line.strip() or last
        except BaseException:
            child.kill()
            raise
    return _short(last) if child.returncode else None


def _short(reason: str) -> str:
    """The reason without the request: `Get "https://…": dial tcp: …: no such host`."""
    return " ".join(reason.rpartition('": ')[2].split())[:160]
