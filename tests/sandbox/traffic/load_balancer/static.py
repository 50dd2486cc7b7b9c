"""A configuration in one document, for Envoy to validate. Not a test."""

from __future__ import annotations

import importlib.util
import subprocess
from copy import deepcopy
from pathlib import Path
from typing import Any

import msgspec

from sandbox.gcp.store import Json
from sandbox.traffic.load_balancer import files
from sandbox.traffic.load_balancer.configuration import Configuration

_PACKAGE = importlib.util.find_spec("envoy")
assert _PACKAGE is not None and _PACKAGE.origin  # noqa: PT018
BINARY = Path(_PACKAGE.origin).parent / "_bin" / "envoy"


def joined(configuration: Configuration) -> Json:
    """Listeners with their routes, and clusters with their endpoints."""
    found = deepcopy(dict(configuration.files))
    listeners = _plain(found[files.LISTENERS])
    clusters = _plain(found[files.CLUSTERS])
    for cluster in clusters:
        if cluster.pop("eds_cluster_config", None):
            (assignment,) = _plain(found[files.endpoints_file(cluster["name"])])
            cluster |= {"type": "STATIC", "load_assignment": assignment}
    for listener in listeners:
        for chain in listener["filter_chains"]:
            manager = chain["filters"][0]["typed_config"]
            if rds := manager.pop("rds", None):
                (routes,) = _plain(found[files.routes_file(rds["route_config_name"])])
                manager["route_config"] = routes
    return {"static_resources": {"listeners": listeners, "clusters": clusters}}


def _plain(file: Any) -> list[Any]:
    return [
        {key: value for key, value in one.items() if key != "@type"} for one in file["resources"]
    ]


def complaints(configuration: Configuration, folder: Path) -> str:
    """What Envoy says against a configuration; empty where it takes it."""
    path = folder / "static.json"
    path.write_bytes(msgspec.json.encode(joined(configuration)))
    command = [str(BINARY), "--mode", "validate", "-l", "error", "-c", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr
