"""Exposure `load-balancer`: a network load balancer of the model's own."""

from typing import Annotated

from msgspec import Meta

from infra.serving.exposures.base import ExposureSettings, Server, port
from infra.serving.exposures.settings import RouteSettings
from infra.serving.manifest import Manifest
from infra.serving.patterns import Cidr

HTTP = 80


class LoadBalancer(ExposureSettings, tag_field="kind", tag="load-balancer"):
    """A network load balancer of its own: port 80 of its own address."""

    source_ranges: Annotated[
        tuple[Cidr, ...], Meta(description="Networks that may reach it. Empty allows all.")
    ] = ()

    @property
    def is_open(self) -> bool:
        """Callers reach the pods by the load balancer's address."""
        return True

    def service(self, server: Server) -> Manifest:
        """REST on port 80. gRPC is not exposed to the internet."""
        ranges = {"loadBalancerSourceRanges": list(self.source_ranges)}
        return {
            "type": "LoadBalancer",
            "selector": server.selector,
            "ports": [port("rest", HTTP)],
            **(ranges if self.source_ranges else {}),
        }

    def url(self, server: Server, address: str | None, routes: RouteSettings) -> str | None:
        """The load balancer's address."""
        return f"http://{address}{server.path}"
