"""The users' kubeconfig: one context per cluster, named like gcloud's."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from sandbox.kubernetes.folder import Folder
from sandbox.kubernetes.specs import ClusterKey

Json = dict[str, Any]


def write(path: Path, clusters: Path) -> None:
    """Write the file. The current context is kept if its cluster still exists."""
    found = [
        Folder(settings.parent, ClusterKey.parse(settings.parent.name))
        for settings in sorted(clusters.glob("*/cluster.json"))
    ]
    document = render(found, _current(path))
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(json.dumps(document, indent=1) + "\n")
    draft.chmod(0o600)
    draft.replace(path)


def render(folders: list[Folder], current: str) -> Json:
    """Return the document as JSON, which is valid YAML."""
    contexts: list[Json] = []
    clusters: list[Json] = []
    for folder in folders:
        key = folder.key
        name = f"gke_{key.project}_{key.location}_{key.name}"
        endpoint = folder.endpoint(folder.load())
        server = {
            "server": f"https://{endpoint.address}",
            "certificate-authority-data": endpoint.ca_certificate,
        }
        clusters.append({"name": name, "cluster": server})
        contexts.append({"name": name, "context": {"cluster": name, "user": "gke"}})
    names = [context["name"] for context in contexts]
    user = {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1beta1",
            "command": "gke-gcloud-auth-plugin",
            "interactiveMode": "Never",
            "provideClusterInfo": True,
        }
    }
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": clusters,
        "contexts": contexts,
        "current-context": current if current in names else (names[0] if names else ""),
        "users": [{"name": "gke", "user": user}],
    }


def _current(path: Path) -> str:
    """Return the current context. The file may be YAML, written by kubectl."""
    try:
        for line in path.read_text().splitlines():
            key, _, value = line.strip().strip('",').partition(":")
            if key.strip('"') == "current-context":
                return value.strip().strip('",')
    except OSError:
        pass
    return ""
