"""The sandbox's home: the folder with all of its files, and the layout of that folder."""

from __future__ import annotations

import errno
import os
import secrets
from dataclasses import dataclass
from pathlib import Path


class SandboxError(Exception):
    """An error of the sandbox. `str()` is one line; `hint` says what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Home:
    """The paths in a home. Each home is a sandbox of its own; several may run at once."""

    path: Path

    @classmethod
    def default(cls) -> Home:
        """The home at `PLATFORM_SANDBOX_HOME`, else below the user's data directory."""
        given = os.environ.get("PLATFORM_SANDBOX_HOME")
        if given:
            return cls(Path(given).expanduser().absolute())
        data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
        return cls(Path(data) / "gke-platform" / "sandbox")

    @property
    def record(self) -> Path:
        """The daemon's record: its port, process id and start time."""
        return self.path / "sandbox.json"

    @property
    def interpreter(self) -> Path:
        """The socket of the preloaded interpreter (`sandbox.interpreter`)."""
        return self.path / "interpreter.sock"

    @property
    def token(self) -> Path:
        """The bearer token; the Kubernetes API servers accept no other."""
        return self.path / "token"

    @property
    def passphrase(self) -> Path:
        """The passphrase that encrypts the rehearsed stacks' secrets."""
        return self.path / "passphrase"

    @property
    def salt(self) -> Path:
        """The `encryptionsalt` line of every rehearsed stack."""
        return self.path / "salt"

    @property
    def pulumi(self) -> Path:
        """PULUMI_HOME: the plugins."""
        return self.path / "pulumi"

    @property
    def state(self) -> Path:
        """Pulumi's file backend."""
        return self.path / "state"

    @property
    def binaries(self) -> Path:
        """The folder that comes first on the PATH."""
        return self.path / "bin"

    @property
    def database(self) -> Path:
        """The emulated Google Cloud's state."""
        return self.path / "gcp" / "state.sqlite"

    @property
    def plugins(self) -> Path:
        """Which Google plugin was chosen: `official` or `own`."""
        return self.path / "plugins"

    @property
    def traffic(self) -> Path:
        """The folder of the model servers' and the load balancer's files."""
        return self.path / "traffic"

    @property
    def dial_plan(self) -> Path:
        """Where each pod's port is really reached (`sandbox.traffic.dial_plan`)."""
        return self.traffic / "dial-plan.json"

    @property
    def model_servers(self) -> Path:
        """The port of the model servers' control, and their process id."""
        return self.traffic / "model-servers.json"

    @property
    def requests(self) -> Path:
        """A line for each request through the load balancer, which are counted and forgotten."""
        return self.traffic / "requests.jsonl"

    @property
    def logs(self) -> Path:
        """The daemon's log."""
        return self.path / "logs"

    @property
    def kubeconfig(self) -> Path:
        """KUBECONFIG: a context for every cluster."""
        return self.path / "kubeconfig"

    def prepare(self) -> None:
        """Create the folders and the secrets. Raises SandboxError."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            for folder in (
                self.pulumi,
                self.state,
                self.binaries,
                self.database.parent,
                self.logs,
                self.traffic,
            ):
                folder.mkdir(parents=True, exist_ok=True)
            for secret in (self.token, self.passphrase):
                if not secret.exists():
                    write_private(secret, secrets.token_urlsafe(32) + "\n")
        except OSError as error:
            raise disk_error(self.path, error) from error


def write_private(path: Path, text: str) -> None:
    """Write a file atomically, readable only by its owner."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    partial.replace(path)


def disk_error(path: Path, error: OSError) -> SandboxError:
    """The SandboxError for a failed write."""
    if error.errno == errno.ENOSPC:
        return SandboxError(
            f"{path}: no space left on the disk",
            "free some (a sandbox needs about 0.5 GB), or set PLATFORM_SANDBOX_HOME elsewhere",
        )
    return SandboxError(
        f"{path}: {error.strerror or error}",
        "set PLATFORM_SANDBOX_HOME to a folder that you can write to",
    )
