"""A kubeconfig as what a client needs: server, trust, and how to identify itself."""

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
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from sandbox.plugins.provider import PluginError

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Cluster:
    """One context of a kubeconfig."""

    server: str
    trust: ssl.SSLContext
    credentials: Credentials
    namespace: str


def load(text: str, context: str | None) -> Cluster:
    """The context of a kubeconfig's contents, or of the file that it names.

    Raises PluginError where it is no kubeconfig or lacks the context.
    """
    try:
        document = yaml.safe_load(text)
        if isinstance(document, str):
            document = yaml.safe_load(Path(document).expanduser().read_text())
        name = context or document["current-context"]
        chosen = _named(document["contexts"], name)["context"]
        cluster = _named(document["clusters"], chosen["cluster"])["cluster"]
        user = _named(document.get("users") or [], chosen["user"])["user"]
    except (OSError, KeyError, TypeError, yaml.YAMLError) as error:
        reason = error.args[0] if isinstance(error, KeyError) else error
        raise PluginError(
            f"the provider's kubeconfig cannot be used: {str(reason).splitlines()[0]}; it is what "
            "the cluster layer publishes, or the file that KUBECONFIG names"
        ) from None
    return Cluster(
        server=str(cluster["server"]).rstrip("/"),
        trust=_trust(cluster, user),
        credentials=Credentials(user or {}),
        namespace=chosen.get("namespace") or "default",
    )


def _named(items: list[Json], name: str) -> Json:
    for item in items:
        if item["name"] == name:
            return item
    raise KeyError(f"it has no entry called {name!r}")


def _trust(cluster: Mapping[str, Any], user: Mapping[str, Any]) -> ssl.SSLContext:
    authority = _bytes(cluster, "certificate-authority")
    context = ssl.create_default_context(cadata=authority.decode() if authority else None)
    if cluster.get("insecure-skip-tls-verify"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    certificate, key = _bytes(user, "client-certificate"), _bytes(user, "client-key")
    if certificate and key:
        # OpenSSL reads a chain from files alone.
        with tempfile.NamedTemporaryFile() as file:
            file.write(certificate + b"\n" + key)
            file.flush()
            context.load_cert_chain(file.name)
    return context


def _bytes(holder: Mapping[str, Any], name: str) -> bytes | None:
    data = holder.get(f"{name}-data")
    if data:
        return base64.b64decode(data)
    path = holder.get(name)
    return Path(path).read_bytes() if path else None


@dataclass(slots=True)
class Credentials:
    """A bearer token: given, in a file, or from an exec plugin, which is asked again in time."""

    user: Mapping[str, Any]
    _token: str = ""
    _until: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def token(self, *, fresh: bool = False) -> str:
        """The token, or "" where there is none. Raises PluginError when the plugin fails."""
        if self.user.get("token"):
            return str(self.user["token"])
        if self.user.get("tokenFile"):
            return Path(self.user["tokenFile"]).read_text().strip()
        if not self.user.get("exec"):
            return ""
        with self._lock:
            if fresh or not self._token or time.time() >= self._until:
                self._token, self._until = _ask(self.user["exec"])
            return self._token


def _ask(plugin: Mapping[str, Any]) -> tuple[str, float]:
    """Run an exec plugin: its token, and until when it is good."""
    command = str(plugin["command"])
    version = plugin.get("apiVersion", "client.authentication.k8s.io/v1beta1")
    if shutil.which(command) is None:
        hint = plugin.get("installHint") or f"put `{command}` on the PATH"
        raise PluginError(f"`{command}` is not installed: {' '.join(str(hint).split())}")
    information = {"apiVersion": version, "kind": "ExecCredential", "spec": {"interactive": False}}
    variables = {e["name"]: e["value"] for e in plugin.get("env") or []}
    done = subprocess.run(
        [command, *(plugin.get("args") or [])],
        env={**os.environ, **variables, "KUBERNETES_EXEC_INFO": json.dumps(information)},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise PluginError(f"`{command}` gave no credentials: {reason}")
    status = json.loads(done.stdout)["status"]
    expiry = status.get("expirationTimestamp")
    until = datetime.fromisoformat(expiry).timestamp() - 60 if expiry else time.time() + 600
    return str(status["token"]), until
