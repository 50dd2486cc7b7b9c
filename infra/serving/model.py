"""One entry of the catalogue: what a stack file says about a model.

What an entry is turned into is in the other modules; what entries may not do to each other, in
`config`.
"""

from typing import Annotated, Literal

from msgspec import Meta

from gkeplatform import routes
from gkeplatform.config import Settings, suggestion
from infra.serving.presets import PRESETS
from infra.serving.quantity import Quantity, amount

Name = Annotated[str, Meta(pattern=r"^[a-z]([-a-z0-9]{0,28}[a-z0-9])?$")]
Host = Annotated[str, Meta(pattern=r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?\.)+[a-z]{2,}$")]
# Kubernetes draws the ports of other Services from above this band first, so that one chosen here
# is free: min(max(16, 2768 / 32), 128) = 86 ports (ServiceNodePortStaticSubrange, on since 1.27).
NodePort = Annotated[int, Meta(ge=30000, le=30085)]
Path = Annotated[str, Meta(pattern=r"^(/[A-Za-z0-9._~-]+)+$")]
Cidr = Annotated[str, Meta(pattern=r"^\d+\.\d+\.\d+\.\d+/\d+$")]


class Replicas(Settings):
    """How many copies of a model server run. Equal numbers: no autoscaler."""

    min: Annotated[int, Meta(ge=1, description="Replicas at least.")]
    max: Annotated[int, Meta(ge=1, le=1000, description="Replicas at most.")]

    def __post_init__(self) -> None:
        if self.min > self.max:
            raise ValueError(f"min {self.min} exceeds max {self.max}")


class Autoscaling(Settings):
    """What the horizontal pod autoscaler aims at."""

    cpu_utilization: Annotated[
        int, Meta(ge=1, le=100, description="Average use of the requested CPU, in percent.")
    ] = 50
    scale_down_after_seconds: Annotated[
        int, Meta(ge=0, le=3600, description="How long less load must last before replicas go.")
    ] = 300


class Amounts(Settings):
    """CPU and memory, as Kubernetes quantities."""

    cpu: Annotated[Quantity, Meta(description="Cores: `500m`, `2`.")]
    memory: Annotated[Quantity, Meta(description="Bytes: `512Mi`, `2Gi`.")]


class Resources(Settings):
    """What a replica asks for, and what it may use."""

    requests: Annotated[
        Amounts, Meta(description="Reserved on the node; CPU autoscaling counts in it.")
    ]
    limits: Annotated[Amounts, Meta(description="At most; more memory ends the container.")]

    def __post_init__(self) -> None:
        for kind in self.requests.__struct_fields__:
            asked, allowed = getattr(self.requests, kind), getattr(self.limits, kind)
            if amount(asked) > amount(allowed):
                raise ValueError(f"requests.{kind} {asked} exceeds limits.{kind} {allowed}")


class Disruption(Settings):
    """How much a drain may take away at a time: exactly one of the two."""

    min_available: Annotated[
        int | None, Meta(description="Replicas that stay; less than replicas.min.")
    ] = None
    max_unavailable: Annotated[int | None, Meta(description="Replicas that may go.")] = None

    def __post_init__(self) -> None:
        if (self.min_available is None) == (self.max_unavailable is None):
            raise ValueError("set either min_available or max_unavailable")
        if (self.max_unavailable or 0) < 1 and self.min_available is None:
            raise ValueError(
                f"max_unavailable {self.max_unavailable} lets no node be drained; set at least 1"
            )
        if self.min_available is not None and self.min_available < 1:
            raise ValueError(f"min_available {self.min_available} protects nothing; set at least 1")


class ClusterIp(Settings, tag_field="kind", tag="cluster-ip"):
    """Reachable inside the cluster only."""


class LoadBalancer(Settings, tag_field="kind", tag="load-balancer"):
    """A network load balancer of its own: port 80 of its own address."""

    source_ranges: Annotated[
        tuple[Cidr, ...], Meta(description="Networks that may reach it; none listed: every one.")
    ] = ()


class HttpLoadBalancer(Settings, tag_field="kind", tag="http-load-balancer"):
    """A share of the environment's global HTTP load balancer."""

    paths: Annotated[
        tuple[Path, ...],
        Meta(
            min_length=1,
            description="URL paths that are this model's, with all below them and its verbs.",
        ),
    ]
    hosts: Annotated[
        tuple[Host, ...], Meta(description="Host names it answers on; none listed: every host.")
    ] = ()
    backend: Annotated[
        Literal["network-endpoint-groups", "instance-groups"],
        Meta(description="Straight to the pods, or by a port of every node."),
    ] = "network-endpoint-groups"
    node_port: Annotated[
        NodePort | None,
        Meta(description="The port of every node; for `instance-groups` only, which need it."),
    ] = None

    def __post_init__(self) -> None:
        for key in ("paths", "hosts"):
            values: tuple[str, ...] = getattr(self, key)
            if twice := [value for value in values if values.count(value) > 1]:
                raise ValueError(f"{key} lists {twice[0]} twice; once is enough")
        if self.backend == "instance-groups" and self.node_port is None:
            raise ValueError(
                "backend instance-groups needs a node_port (30000 to 30085) that stays the same"
            )
        if self.backend != "instance-groups" and self.node_port is not None:
            raise ValueError(f"node_port {self.node_port} is for backend instance-groups only")


class Model(Settings):
    """One model: an entry of the catalogue, from which all its objects come."""

    name: Annotated[Name, Meta(description="Name of the model and of its objects.")]
    server: Annotated[str, Meta(description="Preset of the model server.")]
    source: Annotated[
        Annotated[str, Meta(pattern=r"^gs://[a-z0-9][-a-z0-9_.]{1,61}[a-z0-9](/[^/\s]+)+$")],
        Meta(description="Folder of the model's versions, `gs://bucket/path`."),
    ]
    replicas: Annotated[Replicas, Meta(description="Bounds of the number of replicas.")]
    resources: Annotated[Resources, Meta(description="Requests and limits of a replica.")]
    exposure: Annotated[
        ClusterIp | LoadBalancer | HttpLoadBalancer, Meta(description="How it is reached.")
    ]
    image: Annotated[
        Annotated[
            str, Meta(pattern=r"^[^\s:@]+(:[0-9]+/[^\s:@]+)?(:[\w.-]+|@sha256:[0-9a-f]{64})$")
        ]
        | None,
        Meta(description="Image in place of the preset's, with a fixed tag or a digest."),
    ] = None
    autoscaling: Annotated[
        Autoscaling | None, Meta(description="Needed where replicas.min and max differ.")
    ] = None
    disruption: Annotated[
        Disruption, Meta(description="Budget for voluntary disruptions (PDB).")
    ] = Disruption(max_unavailable=1)
    node_pool: Annotated[
        str | None, Meta(description="Pool that it must run on; none: any that fits.")
    ] = None
    startup_seconds: Annotated[
        int, Meta(ge=10, le=3600, description="How long loading the model may take.")
    ] = 300
    drain_seconds: Annotated[
        int,
        Meta(ge=1, le=300, description="How long it serves on while load balancers let go of it."),
    ] = 15

    def __post_init__(self) -> None:
        if self.server not in PRESETS:
            raise ValueError(
                f'server "{self.server}" is no preset; {suggestion(self.server, PRESETS)}'
            )
        if self.image and self.image.endswith(":latest"):
            raise ValueError(f"image {self.image} has no fixed tag; name a version or a digest")
        if self.replicas.min < self.replicas.max and self.autoscaling is None:
            raise ValueError(
                f"replicas {self.replicas.min} to {self.replicas.max} need autoscaling; "
                "set it, or equal numbers"
            )
        if self.replicas.min == self.replicas.max and self.autoscaling is not None:
            raise ValueError(
                f"autoscaling has no room between {self.replicas.min} and {self.replicas.max} "
                "replicas; remove it, or raise replicas.max"
            )
        kept = self.disruption.min_available
        if kept is not None and kept >= self.replicas.min:
            raise ValueError(
                f"disruption.min_available {kept} of replicas.min {self.replicas.min} can never "
                f"be satisfied by a drain; set at most {self.replicas.min - 1}, or max_unavailable"
            )


def model_path(model: Model) -> str:
    """The URL path of the model's status, which is also the root of all that it answers."""
    return PRESETS[model.server].path.format(name=model.name)


def claimed(model: Model) -> tuple[str, ...]:
    """The URL patterns that `model` claims of the load balancer."""
    if not isinstance(model.exposure, HttpLoadBalancer):
        return ()
    return routes.patterns(model.exposure.paths, PRESETS[model.server].verbs)
