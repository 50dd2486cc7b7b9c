"""The folder of one control plane: what lies where, and what outlives a stop."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from sandbox.kubernetes.specs import POD_CIDR, SERVICE_CIDR, ClusterKey, ControlPlaneError, Endpoint

KWOK_NAME = "main"
"""What kwokctl calls the cluster; each of ours has a kwok work directory to itself."""


@dataclass(slots=True)
class Settings:
    """What `start` must know again: kept in cluster.json, written when a create is complete."""

    version: str
    pod_cidr: str = POD_CIDR
    service_cidr: str = SERVICE_CIDR
    ports: dict[str, int] = field(default_factory=dict)
    stopped: bool = False
    network: str = ""
    subnetwork: str = ""


@dataclass(frozen=True, slots=True)
class Folder:
    """home/clusters/<project>.<location>.<name>."""

    path: Path
    key: ClusterKey

    @property
    def work(self) -> Path:
        """Where kwokctl keeps this cluster."""
        return self.path / "kwok"

    @property
    def state(self) -> Path:
        """What kwokctl made: etcd's data, keys, logs, pids."""
        return self.work / "clusters" / KWOK_NAME

    @property
    def binaries(self) -> Path:
        """The links that every component is started by: no other process bears such a name."""
        return self.state / "bin"

    @property
    def configuration(self) -> Path:
        """What kwokctl reads."""
        return self.path / "kwokctl.yaml"

    @property
    def tokens(self) -> Path:
        """The API server's bearer tokens."""
        return self.path / "tokens.csv"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's; for the daemon and for looking around, not what a program reads."""
        return self.path / "kubeconfig"

    @property
    def settings_file(self) -> Path:
        """cluster.json; a folder without it is what an interrupted create left."""
        return self.path / "cluster.json"

    def log(self, component: str) -> Path:
        """A component's log."""
        return self.state / "logs" / f"{component}.log"

    def is_complete(self) -> bool:
        """Whether a create came to its end here."""
        return self.settings_file.is_file()

    def load(self) -> Settings:
        """Read cluster.json."""
        try:
            return Settings(**json.loads(self.settings_file.read_text()))
        except FileNotFoundError:
            raise ControlPlaneError(f"cluster {self.key} has no control plane") from None
        except (ValueError, TypeError) as error:
            raise ControlPlaneError(
                f"{self.settings_file} cannot be read ({error}); delete the cluster, make it again"
            ) from error

    def save(self, settings: Settings) -> None:
        """Write cluster.json whole or not at all."""
        write_private(self.settings_file, json.dumps(asdict(settings), indent=1))

    def endpoint(self, settings: Settings) -> Endpoint:
        """Where the API server answers, and the certificate of who signed for it."""
        pem = (self.state / "pki" / "ca.crt").read_bytes()
        return Endpoint(f"127.0.0.1:{settings.ports['api']}", base64.b64encode(pem).decode())


def write_private(path: Path, text: str) -> None:
    """Write a file for its owner's eyes, so that a reader sees the old text or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)
