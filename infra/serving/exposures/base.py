"""The interface of a kind of exposure, with the defaults of a model that is cluster-internal."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, Protocol

from gkeplatform.access import Iap
from gkeplatform.config import Settings
from gkeplatform.contracts import InstanceGroupBackend, NegBackend, Route
from infra.serving import waits
from infra.serving.exposures.retries import Retries
from infra.serving.exposures.route_tests import RouteTestArgs
from infra.serving.exposures.settings import RouteSettings
from infra.serving.manifest import Manifest

if TYPE_CHECKING:
    from infra.serving.exposures.endpoint_groups import GroupNames

Protocols = Literal["http", "http2", "grpc"]
"""HTTP/1.1, HTTP/2 without TLS (h2c), or gRPC without TLS."""
H2C = "kubernetes.io/h2c"
"""Application protocol of a Service's port: HTTP/2 without TLS."""


class Server(Protocol):
    """The model server behind an exposure, as far as exposures need to know it."""

    @property
    def name(self) -> str:
        """The name of its Service."""

    @property
    def served_name(self) -> str:
        """The model's name as callers know it."""

    @property
    def served_names(self) -> tuple[str, ...]:
        """What a request's body may name: the model, then its adapters."""

    @property
    def takes_adapters(self) -> bool:
        """Whether the server loads LoRA adapters while it runs."""

    @property
    def namespace(self) -> str:
        """The namespace of its Service."""

    @property
    def server(self) -> str:
        """The preset, for messages."""

    @property
    def rest_port(self) -> int | None:
        """The port of its REST API; None if it speaks gRPC only."""

    @property
    def grpc_port(self) -> int | None:
        """The port of its gRPC API."""

    @property
    def path(self) -> str:
        """URL path of the model's status."""

    @property
    def ready_path(self) -> str | None:
        """URL path that answers 200 when the model can serve; None: gRPC's health service."""

    @property
    def get_paths(self) -> tuple[str, ...]:
        """URL paths that answer a GET with 200 while the model is served, the best first."""

    @property
    def grpc_services(self) -> tuple[str, ...]:
        """Its gRPC services; empty if they are unknown."""

    @property
    def served_paths(self) -> tuple[str, ...]:
        """URL paths at and below which the server answers for the model."""

    @property
    def verbs(self) -> tuple[str, ...]:
        """What may follow the model's path after a colon."""

    @property
    def takes_free_text(self) -> bool:
        """Whether its requests contain prompts, code or documents."""

    @property
    def drain_seconds(self) -> int:
        """How long it keeps serving while it is deregistered."""

    @property
    def selector(self) -> dict[str, str]:
        """Labels that select its pods."""

    @property
    def exposure(self) -> "ExposureSettings":
        """How it is reached."""

    @property
    def formerly(self) -> "Server | None":
        """The same where it was reached before it moves; None if it does not move."""

    @property
    def canary(self) -> "Server | None":
        """The second version; None if there is none."""

    @property
    def weight(self) -> int:
        """Percent of the requests that this version gets."""

    @property
    def mirror(self) -> int:
        """Percent of the requests that this version gets a copy of."""


class ExposureSettings(Settings):
    """Base of all kinds. A kind overrides what differs from a cluster-internal Service."""

    @property
    def kind(self) -> str:
        """The value of the key `kind`."""
        return str(self.__struct_config__.tag)

    @property
    def hosts(self) -> tuple[str, ...]:
        """Host names that the model answers on. Empty: every host, or no HTTP route."""
        return ()

    @property
    def paths(self) -> tuple[str, ...]:
        """URL paths of the model on the environment's load balancer."""
        return ()

    @property
    def tests(self) -> tuple[RouteTestArgs, ...]:
        """Tests of its route on the environment's load balancer."""
        return ()

    @property
    def load_balancer_hosts(self) -> tuple[str, ...]:
        """Hosts that the environment's load balancer must serve."""
        return ()

    @property
    def protocol(self) -> Protocols:
        """What the pods speak to callers outside the cluster."""
        return "http"

    @property
    def iap(self) -> Iap | None:
        """Who may call, if Identity-Aware Proxy guards this model."""
        return None

    @property
    def retries(self) -> Retries | None:
        """Retries by the load balancer."""
        return None

    @property
    def timeout_seconds(self) -> int | None:
        """Timeout of the load balancer; None: the same as for all models."""
        return None

    @property
    def security_policy(self) -> str | None:
        """Name of a Cloud Armor policy made elsewhere; None: the one of its Gateway, if any."""
        return None

    @property
    def node_port(self) -> int | None:
        """The port of every node that leads to the model; None: there is none."""
        return None

    @property
    def needs_ingress_controller(self) -> bool:
        """Whether the model has an Ingress."""
        return False

    @property
    def needs_gateway_api(self) -> bool:
        """Whether the model has a route on the environment's Gateway."""
        return False

    @property
    def needs_inference_gateway(self) -> bool:
        """Whether the model has a pool behind the environment's Inference Gateway."""
        return False

    @property
    def is_open(self) -> bool:
        """Whether callers outside the cluster reach pods by an address or node port of its own."""
        return False

    @property
    def route_keys(self) -> tuple[tuple[str, str, str], ...]:
        """Kind, path and host of each route; only one model may have each of them."""
        return ()

    def patterns(self, server: Server) -> tuple[str, ...]:
        """URL map patterns that the model claims on the environment's load balancer."""
        return ()

    def canary(self, node_port: int | None) -> "ExposureSettings":
        """The exposure of a canary; `ValueError` if this kind cannot split traffic by weight."""
        raise ValueError(
            f"exposure {self.kind} cannot split requests by weight; set exposure.kind: "
            "http-load-balancer or gateway, or remove canary"
        )

    def validate(self, server: Server, routes: RouteSettings) -> None:
        """`ValueError`, which begins with the key, if the entry cannot be exposed like this."""

    def service(self, server: Server) -> Manifest:
        """The spec of the Service: REST and gRPC, inside the cluster."""
        numbers = {"rest": server.rest_port, "grpc": server.grpc_port}
        ports = [
            port(name, number, protocol=self.protocol)
            for name, number in numbers.items()
            if number is not None
        ]
        return {"type": "ClusterIP", "selector": server.selector, "ports": ports}

    def endpoint_groups(self, server: Server, names: "GroupNames") -> Mapping[int, str]:
        """Names of the network endpoint groups that GKE keeps, by port of the Service."""
        return {}

    @property
    def keeps_endpoint_groups(self) -> bool:
        """Whether the Service may ask for further endpoint groups."""
        return True

    def service_wait(self) -> Mapping[str, str]:
        """Annotations of the Service: what `up` waits for."""
        return waits.NOTHING

    def url(self, server: Server, address: str | None, routes: RouteSettings) -> str | None:
        """Where the model answers; None if only the networking layer knows."""
        host = f"{server.name}.{server.namespace}.svc"
        if server.rest_port is None:
            return f"grpc://{host}:{server.grpc_port}"
        return f"http://{host}:{server.rest_port}{server.path}"

    def route_backend(
        self, server: Server, *, zones: tuple[str, ...], names: "GroupNames"
    ) -> NegBackend | InstanceGroupBackend | None:
        """What stands behind the model's backend service; None: it has none."""
        return None

    def route(self, server: Server, *, zones: tuple[str, ...], names: "GroupNames") -> Route | None:
        """What the networking layer needs to route to the model; None: nothing."""
        return None


def port(name: str, number: int, *, protocol: Protocols = "http", **more: int | str) -> Manifest:
    """A port of a Service; it leads to the container's port of that name.

    `protocol` is that of the exposure: http2 concerns the REST port, grpc the gRPC port.
    """
    is_h2c = protocol == ("grpc" if name == "grpc" else "http2")
    spoken = {"appProtocol": H2C} if is_h2c else {}
    return {
        "name": name,
        "port": number,
        "targetPort": name,
        "protocol": "TCP",
        **spoken,
        **more,
    }


def require_rest_port(server: Server, kind: str) -> None:
    """`ValueError` for a server of gRPC only behind an exposure that takes HTTP."""
    if server.rest_port is None:
        raise ValueError(
            f'exposure.kind: {kind} takes HTTP, and "{server.name}" speaks gRPC only; set kind: '
            "http-load-balancer or load-balancer, with protocol: grpc, or kind: cluster-ip"
        )


def require_protocol(server: Server, protocol: Protocols) -> None:
    """`ValueError` if the server does not speak the protocol of its exposure."""
    if protocol == "grpc" and server.grpc_port is None:
        raise ValueError(
            f"exposure.protocol: grpc, and {server.server} has no gRPC port; remove protocol"
            + (", or set custom.grpc_port" if server.server == "custom" else "")
        )
    if protocol != "grpc" and server.rest_port is None:
        raise ValueError(
            f'exposure.protocol: {protocol}, and "{server.name}" speaks gRPC only; set protocol: '
            "grpc"
        )
    # Their REST servers are evhttp (TensorFlow Serving, Triton) and uvicorn (vLLM, MLServer).
    if protocol == "http2" and server.server != "custom":
        raise ValueError(
            f"exposure.protocol: http2, and the REST API of {server.server} speaks HTTP/1.1 alone: "
            "every request would be answered with 502; remove protocol"
        )
