"""Installs the kinds of GKE's secret synchronization: SecretProviderClass and SecretSync.

They are written from their references. The controller is in `controllers/secret_syncs.py`.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from sandbox.kubernetes.api_server import ApiServer
from sandbox.kubernetes.gateway_api import wait_until_listed

_FILES = Path(__file__).parent / "defaults" / "secret-sync"
_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_MANAGER = "addon-manager"
SYNCS = "/apis/secret-sync.gke.io/v1/secretsyncs"
CLASSES = "/apis/secrets-store.csi.x-k8s.io/v1/secretproviderclasses"
_NAMES = {
    "secretsyncs": "secretsyncs.secret-sync.gke.io",
    "secretproviderclasses": "secretproviderclasses.secrets-store.csi.x-k8s.io",
}


async def install(server: ApiServer) -> None:
    """Apply the definitions, and return when they are served."""
    await asyncio.gather(
        *(
            server.apply_text(
                f"{_DEFINITIONS}/{name}",
                (_FILES / f"{file}.yaml").read_bytes(),
                manager=_MANAGER,
            )
            for file, name in _NAMES.items()
        )
    )
    for path in (SYNCS, CLASSES):
        await wait_until_listed(server, path)
