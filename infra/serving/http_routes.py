"""Exposures that the cluster itself routes: by NGINX's Ingress, or by GKE's Gateway.

Both say the same in the same keys, so that a model goes from one to the other by its `kind`.
"""

from typing import Annotated

from msgspec import Meta

from gkeplatform.config import Settings

Host = Annotated[str, Meta(pattern=r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?\.)+[a-z]{2,}$")]
Path = Annotated[str, Meta(pattern=r"^(/[A-Za-z0-9._~-]+)+$")]
SecretName = Annotated[str, Meta(pattern=r"^[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?$")]
ResourceName = Annotated[str, Meta(pattern=r"^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$")]
Cidr = Annotated[str, Meta(pattern=r"^\d+\.\d+\.\d+\.\d+/\d+$")]


class HttpRoute(Settings):
    """A path before the model's own URLs. It is taken off; what follows it reaches the server."""

    path: Annotated[Path, Meta(description="Path before the model's own URLs, as `/model`.")]
    hosts: Annotated[
        tuple[Host, ...], Meta(description="Host names it answers on; none listed: every host.")
    ] = ()

    def __post_init__(self) -> None:
        if twice := [host for host in self.hosts if self.hosts.count(host) > 1]:
            raise ValueError(f"hosts lists {twice[0]} twice; once is enough")


class Ingress(HttpRoute, tag_field="kind", tag="ingress"):
    """A path of an NGINX ingress controller, whose class is in `ingress`."""


class Gateway(HttpRoute, tag_field="kind", tag="gateway"):
    """A path of the environment's Gateway, which GKE makes a global load balancer of."""


class NginxArgs(Settings):
    """The NGINX ingress controller, in a namespace and with an address of its own."""

    replicas: Annotated[int, Meta(ge=1, le=100, description="Controllers that share the work.")] = 2
    source_ranges: Annotated[
        tuple[Cidr, ...], Meta(description="Networks that may reach it; none listed: every one.")
    ] = ()


class IngressArgs(Settings):
    """What models' Ingresses have in common.

    The controller's project was retired in March 2026: it gets no more patches. Models that have
    no reason to stay are better off with `kind: gateway`.
    """

    class_name: Annotated[ResourceName, Meta(description="Ingress class of the controller.")] = (
        "nginx"
    )
    controller: Annotated[
        NginxArgs | None,
        Meta(description="The controller, where this layer runs it; none: the cluster has one."),
    ] = None
    tls_secret: Annotated[
        SecretName | None,
        Meta(description="Secret with the certificate, in each namespace; none: HTTP alone."),
    ] = None


class GatewayArgs(Settings):
    """What the routes of the environment's Gateway have in common."""

    certificate_map: Annotated[
        ResourceName | None,
        Meta(description="Certificate Manager map with the certificates; none: HTTP alone."),
    ] = None
    timeout_seconds: Annotated[
        int, Meta(ge=1, le=2_147_483_647, description="How long an answer may take.")
    ] = 30
    log_sample_rate: Annotated[
        float, Meta(ge=0, le=1, description="Share of the requests that are logged.")
    ] = 1.0
