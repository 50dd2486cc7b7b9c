"""Exposure `load-balancer`: a network load balancer of the model's own."""

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta

from infra.serving import waits
from infra.serving.exposures.base import ExposureSettings, Server, port, require_protocol
from infra.serving.exposures.settings import RouteSettings
from infra.serving.manifest import Manifest
from infra.serving.patterns import Cidr

HTTP = 80


class LoadBalancer(ExposureSettings, tag_field="kind", tag="load-balancer"):
    """A network load balancer of its own: port 80 of its own address, or its gRPC port."""

    source_ranges: Annotated[
        tuple[Cidr, ...], Meta(description="Networks that may reach it. Empty allows all.")
    ] = ()
    protocol: Annotated[
        Literal["http", "grpc"],
        Meta(description="`http`: REST on port 80. `grpc`: gRPC on the server's gRPC port."),
    ] = "http"

    @property
    def is_open(self) -> bool:
        """Callers reach the pods by the load balancer's address."""
        return True

    def validate(self, server: Server, routes: RouteSettings) -> None:
        """Refuses a protocol that the server does not speak."""
        require_protocol(server, self.protocol)

    def service(self, server: Server) -> Manifest:
        """Either REST on port 80, or gRPC on its own port; the other API is not exposed."""
        ranges = {"loadBalancerSourceRanges": list(self.source_ranges)}
        return {
            "type": "LoadBalancer",
            "selector": server.selector,
            "ports": [
                port("grpc", server.grpc_port, protocol="grpc")
                if self.protocol == "grpc" and server.grpc_port
                # Not `rest`: while another exposure's port of that name is replaced by this one, a
                # preview asks the API server for both, which refuses two of one name.
                else {**port("rest", HTTP), "name": "http"}
            ],
            **(ranges if self.source_ranges else {}),
        }

    def service_wait(self) -> Mapping[str, str]:
        """For its address."""
        return waits.ADDRESS

    def url(self, server: Server, address: str | None, routes: RouteSettings) -> str | None:
        """The load balancer's address."""
        if self.protocol == "grpc":
            return f"grpc://{address}:{server.grpc_port}"
        return f"http://{address}{server.path}"
