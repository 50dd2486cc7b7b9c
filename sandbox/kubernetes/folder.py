"""The folder of one control plane: paths, settings, and persistence."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from sandbox.kubernetes.specs import POD_CIDR, SERVICE_CIDR, ClusterKey, ControlPlaneError, Endpoint

KWOK_NAME = "main"
"""kwokctl's name of the cluster. It is constant: each cluster has its own kwok work directory."""


@dataclass(slots=True)
class Settings:
    """Settings that `start` needs, in cluster.json. Written when a create is complete."""

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
        """The work directory of kwokctl for this cluster."""
        return self.path / "kwok"

    @property
    def state(self) -> Path:
        """The data of kwokctl: etcd, keys, logs, pid files."""
        return self.work / "clusters" / KWOK_NAME

    @property
    def binaries(self) -> Path:
        """Links through which components are started, so that their processes have unique names."""
        return self.state / "bin"

    @property
    def configuration(self) -> Path:
        """The configuration file of kwokctl."""
        return self.path / "kwokctl.yaml"

    @property
    def tokens(self) -> Path:
        """The API server's bearer tokens."""
        return self.path / "tokens.csv"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig, for the daemon and debugging only."""
        return self.path / "kubeconfig"

    @property
    def settings_file(self) -> Path:
        """cluster.json. A folder without it is left by an interrupted create."""
        return self.path / "cluster.json"

    def log(self, component: str) -> Path:
        """The log file of a component."""
        return self.state / "logs" / f"{component}.log"

    def is_complete(self) -> bool:
        """Whether the create was completed."""
        return self.settings_file.is_file()

    def load(self) -> Settings:
        """Read cluster.json."""
        try:
            return Settings(**json.loads(self.settings_file.read_text()))
        except FileNotFoundError:
            raise ControlPlaneError(f"cluster {self.key} has no control plane") from None
        except (ValueError, TypeError) as error:
            raise ControlPlaneError(
                f"{self.settings_file} cannot be read ({error}); delete the cluster and create it "
                "again"
            ) from error

    def save(self, settings: Settings) -> None:
        """Write cluster.json atomically."""
        write_private(self.settings_file, json.dumps(asdict(settings), indent=1))

    def endpoint(self, settings: Settings) -> Endpoint:
        """Return the API server's address and CA certificate."""
        pem = (self.state / "pki" / "ca.crt").read_bytes()
        return Endpoint(f"127.0.0.1:{settings.ports['api']}", base64.b64encode(pem).decode())


def write_private(path: Path, text: str) -> None:
    """Write a file atomically, readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)
