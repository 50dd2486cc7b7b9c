"""The Gateway classes that are simulated, and the place of their load balancers. Pure functions.

Source: https://docs.cloud.google.com/kubernetes-engine/docs/concepts/gateway-api#gatewayclass
and, for InferencePools,
https://docs.cloud.google.com/kubernetes-engine/docs/how-to/deploy-gke-inference-gateway.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayClass:
    """What a class makes of a Gateway."""

    scheme: str
    """The load balancing scheme."""
    is_regional: bool

    @property
    def takes_pools(self) -> bool:
        """Whether its routes may lead to InferencePools."""
        return self.is_regional

    def scope(self, region: str) -> str:
        """Where its compute resources are, below the project's path."""
        return f"regions/{region}" if self.is_regional else "global"


CLASSES: Mapping[str, GatewayClass] = {
    "gke-l7-global-external-managed": GatewayClass(scheme="EXTERNAL_MANAGED", is_regional=False),
    "gke-l7-regional-external-managed": GatewayClass(scheme="EXTERNAL_MANAGED", is_regional=True),
    "gke-l7-rilb": GatewayClass(scheme="INTERNAL_MANAGED", is_regional=True),
}


def of(gateway: Json) -> GatewayClass | None:
    """The class of a Gateway; None for one that is not simulated."""
    return CLASSES.get(gateway["spec"]["gatewayClassName"])
