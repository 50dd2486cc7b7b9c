"""The files of a configuration: Envoy watches each, and takes a new one at once.

Endpoints and clusters are written before the routes that lead to them, and routes before the
listeners that use them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from sandbox.gcp.store import Json
from sandbox.home import write_private

LISTENERS, CLUSTERS = "lds.json", "cds.json"
_ORDER = ("eds.", CLUSTERS, "rds.", LISTENERS)
_RESOURCES = {
    "eds.": "envoy.config.endpoint.v3.ClusterLoadAssignment",
    CLUSTERS: "envoy.config.cluster.v3.Cluster",
    "rds.": "envoy.config.route.v3.RouteConfiguration",
    LISTENERS: "envoy.config.listener.v3.Listener",
}


def endpoints_file(cluster: str) -> str:
    """The name of the file with a cluster's endpoints."""
    return f"eds.{_flat(cluster)}.json"


def routes_file(url_map: str) -> str:
    """The name of the file with a URL map's routes."""
    return f"rds.{_flat(url_map)}.json"


def _flat(path: str) -> str:
    return path.removeprefix("projects/").replace("/", ".")


def resources(name: str, found: list[Json]) -> Json:
    """The content of a file."""
    kind = next(kind for prefix, kind in _RESOURCES.items() if name.startswith(prefix))
    return {"resources": [{"@type": f"type.googleapis.com/{kind}"} | one for one in found]}


def source(folder: Path, name: str) -> Json:
    """How Envoy is told of a file."""
    return {"resource_api_version": "V3", "path_config_source": {"path": str(folder / name)}}


def write(folder: Path, files: Mapping[str, Json]) -> list[str]:
    """Write the files that differ from those on disk, each at once; their names. Raises OSError.

    A file that is no longer part of the configuration stays: nothing refers to it.
    """
    written = []
    for name in sorted(files, key=_rank):
        text = msgspec.json.encode(files[name]).decode()
        path = folder / name
        if not path.exists() or path.read_text() != text:
            write_private(path, text)
            written.append(name)
    return written


def _rank(name: str) -> tuple[int, str]:
    return next(i for i, prefix in enumerate(_ORDER) if name.startswith(prefix)), name
