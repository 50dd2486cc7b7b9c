"""Settings that all Ingresses, or all routes of the Gateway, have in common."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from msgspec import Meta

from gkeplatform.armor.rules import ArmorRules
from gkeplatform.config import Settings
from infra.serving.exposures.inference.settings import InferenceGatewayArgs
from infra.serving.patterns import Cidr, ResourceName, SecretName


class NginxArgs(Settings):
    """The NGINX ingress controller, with a namespace and an address of its own."""

    replicas: Annotated[int, Meta(ge=1, le=100, description="Replicas of the controller.")] = 2
    source_ranges: Annotated[
        tuple[Cidr, ...], Meta(description="Networks that may reach it. Empty allows all.")
    ] = ()


class IngressArgs(Settings):
    """Settings of all Ingresses.

    The controller's project was retired in March 2026 and gets no more patches. Prefer
    `kind: gateway` unless a model has a reason to stay.
    """

    class_name: Annotated[ResourceName, Meta(description="Ingress class of the controller.")] = (
        "nginx"
    )
    controller: Annotated[
        NginxArgs | None,
        Meta(description="Runs the controller. Default: the cluster has one already."),
    ] = None
    tls_secret: Annotated[
        SecretName | None,
        Meta(description="Secret with the certificate, in each namespace. Default: HTTP only."),
    ] = None


class GatewayArgs(Settings):
    """Settings of the environment's Gateway and of all routes on it."""

    certificate_map: Annotated[
        ResourceName | None,
        Meta(description="Certificate Manager map with the certificates. Default: HTTP only."),
    ] = None
    timeout_seconds: Annotated[
        int, Meta(ge=1, le=2_147_483_647, description="Timeout of a response.")
    ] = 30
    security_policy: Annotated[
        ResourceName | None,
        Meta(
            description="Cloud Armor policy that is made elsewhere, in place of `armor`, for "
            "models without their own. Default: none."
        ),
    ] = None
    armor: Annotated[
        ArmorRules | None,
        Meta(
            description="Cloud Armor policy of models without another one. Where a model takes "
            "free text its WAF rules do not inspect bodies. Default: none."
        ),
    ] = None
    session_affinity: Annotated[
        Literal["NONE", "CLIENT_IP", "GENERATED_COOKIE"],
        Meta(description="Session affinity, for models that hold state."),
    ] = "NONE"
    max_rate: Annotated[
        Annotated[int, Meta(ge=1, le=1_000_000_000)] | None,
        Meta(description="Requests per second of one pod at most. Default: no limit."),
    ] = None
    log_sample_rate: Annotated[
        float, Meta(ge=0, le=1, description="Share of the requests that are logged.")
    ] = 1.0

    def __post_init__(self) -> None:
        if self.armor and self.security_policy:
            raise ValueError(
                f"security_policy: a model has one policy, and armor makes another than "
                f"{self.security_policy}; remove one of them"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteSettings:
    """What the stack file says about routes inside the cluster."""

    ingress: IngressArgs | None
    gateway: GatewayArgs
    gateway_namespace: str
    """Namespace of both Gateways."""
    inference: InferenceGatewayArgs = field(default_factory=InferenceGatewayArgs)
