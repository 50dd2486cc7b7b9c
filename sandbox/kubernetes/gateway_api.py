"""Installs the Gateway API as on GKE: definitions, GKE's policies and GKE's classes.

The definitions are from the pinned release; GKE's policies are written from their reference.
The controllers that act on them are in `controllers`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from sandbox.kubernetes.api_server import ApiServer, ApiServerError

_OURS = Path(__file__).parent / "defaults" / "gateway-api"
_CLASSES = "gateway-classes.yaml"
_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_GROUP = "/apis/gateway.networking.k8s.io/v1"
_MANAGER = "addon-manager"
_PATIENCE = 30.0  # seconds until new definitions are served
# Not known yet, storage not ready, or server busy with it.
_NOT_YET = frozenset({404, 429, 500, 503})
GATEWAYS = f"{_GROUP}/gateways"
HTTP_ROUTES = f"{_GROUP}/httproutes"
HEALTH_CHECKS = "/apis/networking.gke.io/v1/healthcheckpolicies"
BACKEND_POLICIES = "/apis/networking.gke.io/v1/gcpbackendpolicies"
ROUTING_EXTENSIONS = "/apis/networking.gke.io/v1/gcproutingextensions"
INFERENCE_POOLS = "/apis/inference.networking.k8s.io/v1/inferencepools"


async def install(server: ApiServer, modules: Mapping[str, Path], *, has_pools: bool) -> None:
    """Apply the definitions and classes, and return when they are served.

    `has_pools`: whether InferencePools are among them. InferenceObjectives never are: GKE leaves
    their definition to the platform.
    """
    files = [
        *sorted((modules["gateway-api"] / "config/crd/standard").glob("gateway.*.yaml")),
        *sorted(f for f in _OURS.glob("*.yaml") if f.name != _CLASSES),
    ]
    if has_pools:
        folder = modules["inference-gateway"] / "config/crd/bases"
        files.append(folder / "inference.networking.k8s.io_inferencepools.yaml")
    await asyncio.gather(*(_define(server, file) for file in files))
    for one in yaml.safe_load_all((_OURS / _CLASSES).read_text()):
        await _served(server, f"{_GROUP}/gatewayclasses/{one['metadata']['name']}", one)
    served = [GATEWAYS, HTTP_ROUTES, HEALTH_CHECKS, BACKEND_POLICIES, ROUTING_EXTENSIONS]
    for path in [*served, *([INFERENCE_POOLS] if has_pools else [])]:
        await wait_until_listed(server, path)


async def _define(server: ApiServer, file: Path) -> None:
    """Apply a definition as text. Parsing it would take longer than everything else."""
    head, _, tail = file.stem.partition("_")
    name = f"{tail}.{head}" if tail else f"{head}.networking.gke.io"
    await server.apply_text(f"{_DEFINITIONS}/{name}", file.read_bytes(), manager=_MANAGER)


async def _served(server: ApiServer, path: str, body: dict[str, Any]) -> None:
    """Apply an object whose kind may not be served yet."""
    await _retrying(lambda: server.apply(path, body, manager=_MANAGER))


async def wait_until_listed(server: ApiServer, path: str) -> None:
    """Wait until a kind can be listed."""
    await _retrying(lambda: server.list(path))


async def _retrying(ask: Callable[[], Awaitable[object]]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            await ask()
            return
        except ApiServerError as error:
            if error.status not in _NOT_YET or time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.05)
