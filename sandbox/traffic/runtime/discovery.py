"""A configuration of files as one of two files and resources that Envoy asks for one by one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sandbox.gcp.store import Json
from sandbox.traffic.load_balancer import files
from sandbox.traffic.runtime import discovery_server

_NAMES = {"eds": "cluster_name", "rds": "name"}
Divided = tuple[Json, dict[str, Json], dict[tuple[str, str], Json]]


def divided(bootstrap: Json, given: Mapping[str, Json], port: int) -> Divided:
    """Bootstrap, files and resources, of what `load_balancer` makes for files alone."""
    discovered: dict[tuple[str, str], Json] = {}
    written: dict[str, Json] = {}
    for name, content in given.items():
        kind = name.partition(".")[0]
        if name in (files.LISTENERS, files.CLUSTERS):
            written[name] = _asking(content)
            continue
        for resource in content["resources"]:
            body = {key: value for key, value in resource.items() if key != "@type"}
            discovered[kind, str(body[_NAMES[kind]])] = body
    static = {"clusters": [discovery_server.cluster(port)]}
    return {**bootstrap, "static_resources": static}, written, discovered


def _asking(value: Any) -> Any:
    """The value with every source that is a file of routes or endpoints replaced."""
    if isinstance(value, list):
        return [_asking(item) for item in value]
    if not isinstance(value, dict):
        return value
    path = (value.get("path_config_source") or {}).get("path")
    if path and Path(path).name.partition(".")[0] in _NAMES:
        return discovery_server.source()
    return {key: _asking(item) for key, item in value.items()}
