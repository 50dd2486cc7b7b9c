"""Exposure `inference-gateway`: a host of the environment's Inference Gateway, for vLLM on GKE.

GKE turns the Gateway into a regional external Application Load Balancer, which asks the model's
endpoint picker for the pod of each request. The objects are in `inference/`.
"""

from typing import Annotated, Literal

from msgspec import Meta, field

from infra.serving.exposures.base import ExposureSettings, Server, require_rest_port
from infra.serving.exposures.inference.settings import PickerArgs
from infra.serving.exposures.path_route import PENDING
from infra.serving.exposures.retries import Seconds
from infra.serving.exposures.settings import RouteSettings
from infra.serving.patterns import Host, Name, ResourceName, duplicate

SERVER = "vllm"
"""The preset whose metrics the endpoint picker reads by default."""
Failure = Literal["open", "close"]
Priority = Annotated[int, Meta(ge=-1_000_000, le=1_000_000)]


class InferencePoolSettings(ExposureSettings, kw_only=True):
    """What each version of a model behind the Inference Gateway has: its pool and its picker."""

    failure: Annotated[
        Failure,
        Meta(
            description="What happens while no endpoint picker answers: `open` sends requests to "
            "any pod, `close` answers with an error."
        ),
    ]
    timeout_seconds: Annotated[
        Seconds, Meta(description="Timeout of an answer, with its whole stream.")
    ] = 300
    picker: Annotated[PickerArgs, Meta(description="The endpoint picker.")] = PickerArgs()
    security_policy: Annotated[
        ResourceName | None,
        Meta(
            description="Its regional Cloud Armor policy, made elsewhere. Default: that of "
            "`inference_gateway`."
        ),
    ] = None
    require_iap: Annotated[
        bool,
        Meta(
            description="Identity-Aware Proxy without grants: callers need "
            "roles/iap.httpsResourceAccessor from elsewhere."
        ),
    ] = False

    @property
    def needs_inference_gateway(self) -> bool:
        """It has a pool behind the Inference Gateway."""
        return True

    @property
    def keeps_endpoint_groups(self) -> bool:
        """GKE's Gateway asks for the groups of the pool."""
        return False


class InferenceCanary(
    InferencePoolSettings, kw_only=True, tag_field="kind", tag="inference-gateway"
):
    """The second version of a model: the model's route leads to its pool."""


class InferenceGateway(
    InferencePoolSettings, kw_only=True, tag_field="kind", tag="inference-gateway"
):
    """A host of the environment's Inference Gateway, alone or shared with other models."""

    hosts: Annotated[
        tuple[Host, ...],
        Meta(
            min_length=1,
            description="Host names it answers on. Models with a host in common get the requests "
            "whose body names them.",
        ),
    ]
    objectives: Annotated[
        dict[Name, Priority],
        Meta(
            description="Priorities of requests, by name; higher values go first. A caller sends "
            "`x-gateway-inference-objective: <model>-<name>`; without it the priority is 0."
        ),
    ] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if twice := duplicate(self.hosts):
            raise ValueError(f"hosts lists {twice} twice; once is enough")

    def canary(self, node_port: int | None) -> InferenceCanary:
        """The same settings of pool and picker, without a route of its own."""
        if node_port is not None:
            raise ValueError("node_port is for backend instance-groups only; remove it")
        return InferenceCanary(
            failure=self.failure,
            timeout_seconds=self.timeout_seconds,
            picker=self.picker,
            security_policy=self.security_policy,
            require_iap=self.require_iap,
        )

    def validate(self, server: Server, routes: RouteSettings) -> None:
        """Refuses servers without vLLM's metrics, and what GKE would not do."""
        require_rest_port(server, self.kind)
        if server.server != SERVER:
            raise ValueError(
                f"exposure.kind: {self.kind} chooses pods by vLLM's metrics, and "
                f'"{server.name}" runs on {server.server}; set server: {SERVER}, or kind: gateway '
                "or http-load-balancer"
            )
        if server.drain_seconds < self.timeout_seconds:
            raise ValueError(
                f"drain_seconds: {server.drain_seconds} is less than exposure.timeout_seconds "
                f"{self.timeout_seconds}, so that a rollout or a drain cuts streams off; remove "
                f"drain_seconds, set it to {self.timeout_seconds}, or a shorter timeout"
            )
        if self.require_iap and not routes.inference.is_encrypted:
            raise ValueError(
                "exposure.require_iap: Identity-Aware Proxy needs HTTPS; list certificates in "
                "gke-serving:inference_gateway.certificates"
            )
        if server.canary is not None and server.canary.mirror:
            raise ValueError(
                f"canary.mirror: the load balancer copies no requests to a pool of {self.kind}; "
                "remove mirror and set canary.weights, or set kind: gateway or http-load-balancer"
            )

    def url(self, server: Server, address: str | None, routes: RouteSettings) -> str | None:
        """The first host with the server's path; `PENDING` without an address."""
        if not address:
            return PENDING
        scheme = "https" if routes.inference.is_encrypted else "http"
        return f"{scheme}://{self.hosts[0]}{server.path}"
