"""Default objects of a GKE cluster that a bare API server lacks: defaults/*.yaml.

Those that an add-on brings are in a folder of its name.
"""

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


def objects(addon: str = "") -> list[dict[str, Any]]:
    """Return the default objects of a new cluster, or those of an add-on."""
    return [
        document
        for file in sorted((_FOLDER / addon).glob("*.yaml"))
        for document in yaml.safe_load_all(file.read_text())
    ]


async def apply(server: ApiServer, addon: str = "") -> None:
    """Apply the default objects of a new cluster, or those of an add-on."""
    await asyncio.gather(
        *(
            server.apply(
                f"{_PATHS[document['kind']]}/{document['metadata']['name']}",
                document,
                manager=_MANAGER,
            )
            for document in objects(addon)
        )
    )
