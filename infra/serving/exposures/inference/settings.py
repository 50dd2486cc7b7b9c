"""Settings of the environment's Inference Gateway, of endpoint pickers and of the router.

Names and defaults of the scorers: Gateway API Inference Extension v1.5.0,
https://gateway-api-inference-extension.sigs.k8s.io/guides/epp-configuration/config-text/.
"""

from typing import Annotated

from msgspec import Meta, field

from gkeplatform.armor.rules import ArmorRules
from gkeplatform.config import Settings
from infra.serving.patterns import ResourceName
from infra.serving.resources import Amounts, ContainerResources, Limits

MOST_CERTIFICATES = 15
"""Certificates of a regional load balancer."""
Weight = Annotated[int, Meta(ge=0, le=100)]


class ScorerWeights(Settings):
    """Weights of the picker's scorers. A scorer of weight 0 is left out."""

    queue: Annotated[Weight, Meta(description="Few requests waiting at the pod.")] = 2
    kv_cache: Annotated[Weight, Meta(description="Much of the pod's KV cache free.")] = 2
    prefix: Annotated[
        Weight, Meta(description="The beginning of the prompt is in the pod's prefix cache.")
    ] = 3
    adapters: Annotated[
        Weight,
        Meta(
            description="The LoRA adapter that is asked for runs at the pod, or fits into its "
            "batch. Without adapters it counts for nothing."
        ),
    ] = 2

    def __post_init__(self) -> None:
        if not (self.queue or self.kv_cache or self.prefix):
            raise ValueError(
                "queue, kv_cache and prefix are all 0, so that every pod would score the same; "
                "set at least one"
            )


def _resources(cpu: str, memory: str, limit: str) -> ContainerResources:
    return ContainerResources(requests=Amounts(cpu=cpu, memory=memory), limits=Limits(memory=limit))


class PickerArgs(Settings):
    """The endpoint picker of a pool, which chooses the pod of each request."""

    replicas: Annotated[
        Annotated[int, Meta(ge=1, le=3)],
        Meta(
            description="1, or more with leader election: one of them picks, the others wait to "
            "take over."
        ),
    ] = 1
    weights: Annotated[ScorerWeights, Meta(description="What makes a pod the better choice.")] = (
        ScorerWeights()
    )
    flow_control: Annotated[
        bool,
        Meta(
            description="Requests wait in the picker while the pool is full, higher priorities "
            "first; experimental in v1.5.0. Without it, a full pool refuses those of negative "
            "priority, and takes all others."
        ),
    ] = False
    resources: Annotated[
        ContainerResources, Meta(description="Requests and limits of a replica.")
    ] = field(default_factory=lambda: _resources("1", "1Gi", "4Gi"))


class RouterArgs(Settings):
    """The body-based router, which reads the model's name in each request of a shared host."""

    replicas: Annotated[
        Annotated[int, Meta(ge=2, le=20)],
        Meta(description="Replicas; without a ready one, no request is answered."),
    ] = 2
    resources: Annotated[
        ContainerResources, Meta(description="Requests and limits of a replica.")
    ] = field(default_factory=lambda: _resources("250m", "256Mi", "512Mi"))


class InferenceGatewayArgs(Settings):
    """Settings of all models with `kind: inference-gateway`."""

    certificates: Annotated[
        tuple[ResourceName, ...],
        Meta(
            max_length=MOST_CERTIFICATES,
            description="Regional Certificate Manager certificates of the hosts, in `gcp:region`, "
            "made elsewhere. Default: none.",
        ),
    ] = ()
    managed_certificates: Annotated[
        bool,
        Meta(
            description="A certificate of Google's for each host, issued once the records of the "
            "networking layer are in DNS. Without any certificate the Gateway serves HTTP."
        ),
    ] = False
    armor: Annotated[
        ArmorRules | None,
        Meta(
            description="Cloud Armor policy of `gcp:region`, for models without another one. Its "
            "WAF rules do not inspect bodies. Default: none."
        ),
    ] = None
    security_policy: Annotated[
        ResourceName | None,
        Meta(
            description="Regional Cloud Armor policy that is made elsewhere, in place of `armor`. "
            "A global policy does not apply. Default: none."
        ),
    ] = None
    log_sample_rate: Annotated[
        float, Meta(ge=0, le=1, description="Share of the requests that are logged.")
    ] = 1.0
    router: Annotated[
        RouterArgs, Meta(description="The body-based router, for models that share a host.")
    ] = RouterArgs()

    def __post_init__(self) -> None:
        if self.armor and self.security_policy:
            raise ValueError(
                f"security_policy: a model has one policy, and armor makes another than "
                f"{self.security_policy}; remove one of them"
            )

    @property
    def is_encrypted(self) -> bool:
        """Whether the Gateway has certificates."""
        return self.managed_certificates or bool(self.certificates)
