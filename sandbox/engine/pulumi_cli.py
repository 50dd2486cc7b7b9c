"""The Pulumi CLI: an installed one, else the official installer's, else one built here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sandbox.engine import build, cache, tools
from sandbox.engine.errors import EngineError

Progress = Callable[[str], None]
_MODULE = "github.com/pulumi/pulumi/pkg/v3"
_HOST = "pulumi-language-python"
_INSTALLER = "https://get.pulumi.com"


@dataclass(frozen=True, slots=True)
class PulumiCli:
    """A CLI with the official language host beside it, or with the executor for ours."""

    pulumi: Path
    language_host: Path | None = None
    executor: Path | None = None


def ensure(progress: Progress) -> PulumiCli:
    """A CLI that is new enough. Raises EngineError if there is none."""
    ways = tools.wanted()
    found = installed()
    if found is None and tools.DOWNLOAD in ways:
        found = _official_from_cache()
    if found is None and tools.BUILD in ways:
        found = _built(progress, only_if_ready=True)
    if found is None and tools.DOWNLOAD in ways:
        found = _official(progress, only=tools.BUILD not in ways)
    return found or _must(_built(progress, only_if_ready=False))


def installed() -> PulumiCli | None:
    """The CLI on the PATH, if it has at least the pinned version and its Python host."""
    own = os.environ.get("PLATFORM_SANDBOX_HOME")
    folders = [
        folder
        for folder in os.get_exec_path()
        # In the environment of `platformctl sandbox env`, the first one is the sandbox's script.
        if not (own and Path(folder).is_relative_to(own))
    ]
    path = os.pathsep.join(folders)
    pulumi, host = shutil.which("pulumi", path=path), shutil.which(_HOST, path=path)
    if pulumi is None or host is None or version_of(Path(pulumi)) < _minimum():
        return None
    return PulumiCli(Path(pulumi), language_host=Path(host))


def version_of(pulumi: Path) -> tuple[int, ...]:
    """The version that a CLI reports; () if it reports none."""
    try:
        out = subprocess.run(
            [pulumi, "version"],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
            env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"},
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    return _numbers(out)


def _numbers(text: str) -> tuple[int, ...]:
    found = re.match(r"v?(\d+)\.(\d+)\.(\d+)", text.strip())
    return tuple(map(int, found.groups())) if found else ()


def _minimum() -> tuple[int, ...]:
    return _numbers(build.version(build.PULUMI, _MODULE))


def _official_entry() -> str:
    from importlib.metadata import version  # noqa: PLC0415 (slow, and not always needed)

    return f"pulumi-official-{version('pulumi')}"


def _official_from_cache() -> PulumiCli | None:
    binaries = cache.directory() / _official_entry() / "bin"
    if not binaries.is_dir():
        return None
    return PulumiCli(binaries / "pulumi", language_host=binaries / _HOST)


def _official(progress: Progress, *, only: bool) -> PulumiCli | None:
    """The CLI of the official installer; None if it cannot be downloaded.

    Raises EngineError instead of that if `only` a download is wanted.
    """
    from sandbox.engine import reachability  # noqa: PLC0415 (it loads an HTTP client)

    def download(folder: Path) -> None:
        from pulumi.automation import PulumiCommand  # noqa: PLC0415 (0.4 s)

        PulumiCommand.install(root=str(folder))

    progress("looking for the official Pulumi installer")
    try:
        # The installer itself waits minutes for a host that does not answer.
        if host := reachability.unreachable([_INSTALLER], again=only):
            raise OSError(f"{host} cannot be reached")
        cache.entry(_official_entry(), download, lambda: progress("waiting for a download"))
    # The installer is a downloaded shell script: any error means that it is not available.
    except Exception as error:
        reason = " ".join(str(error).split())[:120]
        if only:
            raise EngineError(
                f"the official Pulumi installer cannot be had: {reason}",
                f"check the network, install Pulumi yourself, or unset {tools.VARIABLE}",
            ) from error
        progress(f"the official installer cannot be had ({reason}): building Pulumi instead")
        return None
    return _official_from_cache()


def _built(progress: Progress, *, only_if_ready: bool) -> PulumiCli | None:
    if only_if_ready and not build.is_built(build.PULUMI):
        return None
    folder = build.ensure(build.PULUMI, progress)
    return PulumiCli(
        folder / "bin" / "pulumi",
        executor=folder / "modules" / "sdk" / "python" / "cmd" / "pulumi-language-python-exec",
    )


def _must(cli: PulumiCli | None) -> PulumiCli:
    assert cli is not None  # noqa: S101 (a build that is asked for returns or raises)
    return cli
