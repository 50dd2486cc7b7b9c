"""Default objects of a new GKE cluster that a bare API server lacks: defaults/*.yaml."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import yaml

from sandbox.kubernetes.api_server import ApiServer

_FOLDER = Path(__file__).parent / "defaults"
_ADMISSION = "/apis/admissionregistration.k8s.io/v1"
_PATHS = {
    "MutatingAdmissionPolicy": f"{_ADMISSION}/mutatingadmissionpolicies",
    "MutatingAdmissionPolicyBinding": f"{_ADMISSION}/mutatingadmissionpolicybindings",
    "StorageClass": "/apis/storage.k8s.io/v1/storageclasses",
}
_MANAGER = "addon-manager"


def objects() -> list[dict[str, Any]]:
    """Return the default objects."""
    return [
        document
        for file in sorted(_FOLDER.glob("*.yaml"))
        for document in yaml.safe_load_all(file.read_text())
    ]


async def apply(server: ApiServer) -> None:
    """Apply the default objects."""
    await asyncio.gather(
        *(
            server.apply(
                f"{_PATHS[document['kind']]}/{document['metadata']['name']}",
                document,
                manager=_MANAGER,
            )
            for document in objects()
        )
    )
