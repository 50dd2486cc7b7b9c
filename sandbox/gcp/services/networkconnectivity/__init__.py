"""The emulated Network Connectivity Center: hubs and spokes. Nothing is routed.

Internal ranges, service connection policies and what lies below a hub are not emulated.
"""

from __future__ import annotations

from sandbox.gcp.service import Service
from sandbox.gcp.services.networkconnectivity.hubs import HUBS, OPERATIONS
from sandbox.gcp.services.networkconnectivity.spokes import SPOKES

SERVICE = Service(
    "networkconnectivity",
    HUBS.handlers() | SPOKES.handlers() | OPERATIONS.handlers("projects.locations"),
)
