"""Features of GKE that a cluster may have, and that this package provides for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Features:
    """Features that bring kinds or controllers of their own. Default: none of them."""

    gateway_api: bool = False
    inference_pools: bool = False
    """Defines InferencePools, with the Gateway API."""
    secret_sync: bool = False
    """Copies secrets of Secret Manager into Secrets."""
    managed_prometheus: bool = False
    """Collects the metrics that PodMonitorings select."""

    filestore: bool = False
    """Makes volumes of Filestore's storage classes."""


NONE = Features()
