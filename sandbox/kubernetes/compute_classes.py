"""Installs GKE's kind ComputeClass, which every version has that the sandbox offers.

It is written from its reference. The cluster autoscaler acts on it: `scaling/classes.py`.
"""

from __future__ import annotations

from pathlib import Path

from sandbox.kubernetes.api_server import ApiServer
from sandbox.kubernetes.gateway_api import wait_until_listed

CLASSES = "/apis/cloud.google.com/v1/computeclasses"
_DEFINITION = Path(__file__).parent / "defaults" / "compute-classes" / "computeclasses.yaml"
_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_NAME = "computeclasses.cloud.google.com"


async def install(server: ApiServer) -> None:
    """Define ComputeClass and return when it is served."""
    body = _DEFINITION.read_bytes()
    await server.apply_text(f"{_DEFINITIONS}/{_NAME}", body, manager="addon-manager")
    await wait_until_listed(server, CLASSES)
