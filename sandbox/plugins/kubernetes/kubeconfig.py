"""Reads from a kubeconfig what a client needs: server, certificate authority, credentials."""

from __future__ import annotations

import base64
import json
import os
import shutil
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from sandbox.plugins.provider import PluginError

Json = dict[str, Any]
_SECONDS_TO_ASK = 60


@dataclass(frozen=True, slots=True)
class Cluster:
    """One context of a kubeconfig."""

    server: str
    server_name: str
    """The name on the server's certificate; empty if it is the address."""
    trust: ssl.SSLContext
    credentials: Credentials
    namespace: str


def load(given: str | None, context: str | None = None, cluster: str | None = None) -> Cluster:
    """The context of a kubeconfig's contents, or of the file that it names.

    Without one: of the files that KUBECONFIG names, or of ~/.kube/config. Raises PluginError where
    it is no kubeconfig or lacks the context.
    """
    try:
        document, folder = _document(given)
        chosen, name = _chosen(document, context, cluster)
        found = _named(document.get("clusters"), "clusters", name)["cluster"]
        user_name = chosen.get("user")
        user = _named(document.get("users"), "users", user_name)["user"] if user_name else {}
        trust = _trust(found, user or {}, folder)
        server = str(found["server"]).rstrip("/")
    except (OSError, KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        reason = error.args[0] if isinstance(error, KeyError) else error
        text = " ".join(str(reason).split())
        raise PluginError(
            f"the provider's kubeconfig cannot be used: {text}; it is what the cluster layer "
            "publishes, or the file that KUBECONFIG names"
        ) from None
    return Cluster(
        server=server,
        server_name=found.get("tls-server-name") or "",
        trust=trust,
        credentials=Credentials(user or {}, folder, trust),
        namespace=chosen.get("namespace") or "default",
    )


def identity(given: str | None, context: str | None, cluster: str | None) -> tuple[str, str] | None:
    """The identity of a kubeconfig's cluster: its certificate authority, else its address.

    A cluster that moved to another address has its authority still, so it is the same one. None
    where that cannot be told.
    """
    try:
        document, folder = _document(given)
        _, name = _chosen(document, context, cluster)
        found = _named(document.get("clusters"), "clusters", name)["cluster"]
        authority = _bytes(found, "certificate-authority", folder)
        if authority:
            return "authority", authority.decode()
        return "address", str(found["server"])
    except (OSError, KeyError, TypeError, ValueError, yaml.YAMLError):
        return None


def _document(given: str | None) -> tuple[Json, Path]:
    """A kubeconfig, and the folder that its relative paths start from."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    folder = Path.cwd()
    read: Any = yaml.load(given, loader) if given else None  # noqa: S506 (both loaders are safe)
    if isinstance(read, str) or not given:
        paths = [read] if read else os.environ.get("KUBECONFIG", "").split(os.pathsep)
        paths = [path for path in paths if path] or ["~/.kube/config"]
        existing = [p for path in paths if (p := Path(path).expanduser()).is_file()]
        path = existing[0] if existing else Path(paths[0]).expanduser()
        folder = path.parent
        read = yaml.load(path.read_text(), loader)  # noqa: S506
    if not isinstance(read, dict) or not read.get("clusters"):
        raise ValueError("it is not a kubeconfig: it has no clusters")
    return read, folder


def _chosen(document: Json, context: str | None, cluster: str | None) -> tuple[Json, str]:
    """The context, and the name of its cluster or of the overriding one."""
    name = context or document.get("current-context")
    if not name:
        raise ValueError("it has no current-context, and the provider names no context")
    chosen: Json = _named(document.get("contexts"), "contexts", name)["context"]
    return chosen, cluster or chosen["cluster"]


def _named(items: Sequence[Json] | None, field: str, name: str) -> Json:
    for item in items or ():
        if item["name"] == name:
            return item
    raise KeyError(f"{field} has no entry called {name!r}")


def _trust(cluster: Mapping[str, Any], user: Mapping[str, Any], folder: Path) -> ssl.SSLContext:
    # Not create_default_context: newer Pythons have it refuse authorities that Kubernetes makes.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority = _bytes(cluster, "certificate-authority", folder)
    if cluster.get("insecure-skip-tls-verify"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif authority:
        context.load_verify_locations(cadata=authority.decode())
    else:
        context.load_default_certs()
    certificate = _bytes(user, "client-certificate", folder)
    key = _bytes(user, "client-key", folder)
    if certificate and key:
        _present(context, certificate, key)
    return context


def _present(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Use a client certificate on new connections."""
    # OpenSSL reads certificate chains from files only.
    with tempfile.NamedTemporaryFile() as file:
        file.write(certificate + b"\n" + key)
        file.flush()
        context.load_cert_chain(file.name)


def _bytes(holder: Mapping[str, Any], name: str, folder: Path) -> bytes | None:
    data = holder.get(f"{name}-data")
    if data:
        return base64.b64decode(data)
    path = holder.get(name)
    return (folder / Path(path).expanduser()).read_bytes() if path else None


@dataclass(slots=True)
class Credentials:
    """A bearer token: literal, from a file, or from an exec plugin, renewed before it expires."""

    user: Mapping[str, Any]
    folder: Path
    trust: ssl.SSLContext
    _token: str = ""
    _until: float = 0.0
    _asked: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def token(self, *, fresh: bool = False) -> str:
        """The token, or "" without one. Raises PluginError if the exec plugin fails."""
        if self.user.get("exec"):
            with self._lock:
                # Another thread may have renewed it meanwhile.
                just_asked = self._until and time.time() - self._asked < 1
                if (fresh and not just_asked) or time.time() >= self._until:
                    self._token, self._until = self._ask(self.user["exec"])
                    self._asked = time.time()
                return self._token
        if self.user.get("tokenFile"):
            try:
                return Path(self.folder, str(self.user["tokenFile"])).read_text().strip()
            except OSError as error:
                raise PluginError(f"the kubeconfig's tokenFile cannot be read: {error}") from None
        return str(self.user.get("token") or "")

    def _ask(self, plugin: Mapping[str, Any]) -> tuple[str, float]:
        """Run an exec plugin; returns its token and the expiry."""
        status = _answer(plugin)
        if status.get("clientCertificateData") and status.get("clientKeyData"):
            certificate, key = status["clientCertificateData"], status["clientKeyData"]
            _present(self.trust, certificate.encode(), key.encode())
        expiry = status.get("expirationTimestamp")
        until = datetime.fromisoformat(expiry).timestamp() - 60 if expiry else time.time() + 600
        return str(status.get("token") or ""), until


def _answer(plugin: Mapping[str, Any]) -> Json:
    command = str(plugin["command"])
    version = plugin.get("apiVersion", "client.authentication.k8s.io/v1beta1")
    if shutil.which(command) is None:
        hint = plugin.get("installHint") or f"put `{command}` on the PATH"
        raise PluginError(f"`{command}` is not installed: {' '.join(str(hint).split())}")
    information = {"apiVersion": version, "kind": "ExecCredential", "spec": {"interactive": False}}
    variables = {e["name"]: e["value"] for e in plugin.get("env") or []}
    try:
        done = subprocess.run(
            [command, *(plugin.get("args") or [])],
            env={**os.environ, **variables, "KUBERNETES_EXEC_INFO": json.dumps(information)},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
            timeout=_SECONDS_TO_ASK,
        )
    except subprocess.TimeoutExpired:
        raise PluginError(
            f"`{command}` gave no credentials within {_SECONDS_TO_ASK} s; run it by hand to see why"
        ) from None
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise PluginError(f"`{command}` gave no credentials: {reason}")
    try:
        status = json.loads(done.stdout)["status"]
    except (ValueError, KeyError, TypeError):
        raise PluginError(f"`{command}` did not answer with an ExecCredential") from None
    return dict(status)
