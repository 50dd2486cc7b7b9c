"""One entry of the catalogue: what a stack file says about a model.

What an entry is turned into is in the other modules; what entries may not do to each other, in
`config`.
"""

from typing import Annotated, Literal

from msgspec import Meta, field
from msgspec.structs import asdict, replace

from gkeplatform import routes
from gkeplatform.access import Iap
from gkeplatform.config import Settings
from infra.serving import soundness, traffic
from infra.serving.canary import SUFFIX, Canary
from infra.serving.custom import Custom
from infra.serving.custom import preset as described
from infra.serving.database import ModelDatabase
from infra.serving.files import Direct, Files
from infra.serving.forms import Image, NodePort, Source
from infra.serving.http_routes import Cidr, Gateway, Host, Ingress, Path
from infra.serving.presets import PRESETS, Preset
from infra.serving.quantity import Quantity
from infra.serving.scaling import Autoscaling, Replicas
from infra.serving.sizing import Resources
from infra.serving.traffic import Retries, Seconds

Name = Annotated[str, Meta(pattern=r"^[a-z]([-a-z0-9]{0,28}[a-z0-9])?$")]
Pods = Annotated[int, Meta(ge=0)]
EnvironmentName = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


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
    rewrites: Annotated[
        dict[Path, Path],
        Meta(description="Of `paths`, those that the server knows by another: `/chat: /v1/chat`."),
    ] = field(default_factory=dict)
    retries: Annotated[
        Retries | None, Meta(description="Further attempts where one fails; none: as Google does.")
    ] = None
    iap: Annotated[
        Iap | None,
        Meta(description="Who may call, by Identity-Aware Proxy; none: `gke-networking:iap`."),
    ] = None
    timeout_seconds: Annotated[
        Seconds | None,
        Meta(description="How long a response may take, with retries; none: as for all models."),
    ] = None
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
        traffic.check(self.paths, self.rewrites, self.retries, self.timeout_seconds)
        if self.backend == "instance-groups" and self.node_port is None:
            raise ValueError(
                "backend instance-groups needs a node_port (30000 to 30085) that stays the same"
            )
        if self.backend != "instance-groups" and self.node_port is not None:
            raise ValueError(f"node_port {self.node_port} is for backend instance-groups only")


class Rollout(Settings):
    """How a new version takes the place of the old one: pods at a time."""

    max_surge: Annotated[
        Pods | None, Meta(description="Pods above the replicas; none set: what GPUs can pay for.")
    ] = None
    max_unavailable: Annotated[
        Pods | None, Meta(description="Pods below the replicas; none set: 0 with a surge.")
    ] = None

    def __post_init__(self) -> None:
        if self.max_surge == 0 and self.max_unavailable == 0:
            raise ValueError("max_surge and max_unavailable are both 0: no pod could be replaced")


Spreading = Literal["required", "preferred", "off"]


class Spread(Settings):
    """How evenly replicas lie over zones and nodes."""

    zones: Annotated[Spreading, Meta(description="Over the zones that have usable nodes.")] = (
        "required"
    )
    nodes: Annotated[Spreading, Meta(description="Over the nodes.")] = "preferred"
    max_skew: Annotated[
        int, Meta(ge=1, le=10, description="Difference allowed between the fullest and others.")
    ] = 1


class Model(Settings):
    """One model: an entry of the catalogue, from which all its objects come."""

    name: Annotated[Name, Meta(description="Name of the model and of its objects.")]
    server: Annotated[str, Meta(description="Preset of the model server, or `custom`.")]
    replicas: Annotated[Replicas, Meta(description="Bounds of the number of replicas.")]
    resources: Annotated[Resources, Meta(description="Requests and limits of a replica.")]
    exposure: Annotated[
        ClusterIp | LoadBalancer | HttpLoadBalancer | Ingress | Gateway,
        Meta(description="How it is reached."),
    ]
    team: Annotated[
        str | None, Meta(description="One of `teams`, in whose namespace it lives; none: shared.")
    ] = None
    source: Annotated[
        Source | None,
        Meta(description="Folder of the model's versions, `gs://bucket/path`."),
    ] = None
    files: Annotated[
        Files | None,
        Meta(description="How its files come into its pods; none: the server reads the bucket."),
    ] = None
    image: Annotated[
        Image | None,
        Meta(description="Image in place of the preset's, with a fixed tag or a digest."),
    ] = None
    custom: Annotated[
        Custom | None, Meta(description="What a preset would say; for server `custom` only.")
    ] = None
    arguments: Annotated[
        tuple[str, ...], Meta(description="Arguments of the server after the preset's.")
    ] = ()
    environment: Annotated[
        dict[EnvironmentName, str],
        Meta(description="Environment variables of the server; nothing secret."),
    ] = field(default_factory=dict)
    shared_memory: Annotated[
        Quantity | None, Meta(description="Size of /dev/shm; a share of the memory limit.")
    ] = None
    autoscaling: Annotated[
        Autoscaling | None, Meta(description="Needed where replicas.min and max differ.")
    ] = None
    canary: Annotated[
        Canary | None, Meta(description="A second version that gets a share of the requests.")
    ] = None
    disruption: Annotated[
        Disruption, Meta(description="Budget for voluntary disruptions (PDB).")
    ] = Disruption(max_unavailable=1)
    rollout: Annotated[Rollout, Meta(description="Surge of a rolling update.")] = Rollout()
    spread: Annotated[Spread, Meta(description="Spread of the replicas.")] = Spread()
    priority: Annotated[
        str | None, Meta(description="One of `priority_classes`; none: the cluster's default.")
    ] = None
    node_pool: Annotated[
        str | None, Meta(description="Pool that it must run on; none: any that fits.")
    ] = None
    postgres: Annotated[
        ModelDatabase | None,
        Meta(description="Its database, told to its pods by libpq's variables (`PGHOST`, …)."),
    ] = None
    startup_seconds: Annotated[
        int, Meta(ge=10, le=3600, description="How long loading the model may take.")
    ] = 300
    drain_seconds: Annotated[
        int,
        Meta(ge=1, le=300, description="How long it serves on while load balancers let go of it."),
    ] = 15

    def __post_init__(self) -> None:
        soundness.check(self, served_name(self))
        canary_of(self)


class CanaryModel(Model, kw_only=True):
    """The second version of a model, made of its entry. No stack file holds one."""

    serves: str
    """Name of the model that callers and the server know it by: the entry's."""


def served_name(model: Model) -> str:
    """The name that the server answers to; the objects' own name may be another."""
    return model.serves if isinstance(model, CanaryModel) else model.name


def canary_of(model: Model) -> CanaryModel | None:
    """The second version of `model`; `ValueError` where it cannot be, None where there is none."""
    said = model.canary
    if said is None:
        return None
    if not isinstance(model.exposure, HttpLoadBalancer):
        kind = model.exposure.__struct_config__.tag
        raise ValueError(
            f"canary: requests are shared out by the weights of the HTTP load balancer, and "
            f"exposure {kind} does not go through it; set exposure.kind: http-load-balancer, or "
            "remove canary"
        )
    own = {
        key: value
        for key in ("source", "image", "arguments")
        if (value := getattr(said, key)) not in {None, getattr(model, key)}
    }
    if not own:
        raise ValueError(
            f'canary: it would be the same as "{model.name}" itself; set its source, image or '
            "arguments to what differs"
        )
    try:
        changed = {
            **own,
            "name": f"{model.name}{SUFFIX}",
            "canary": None,
            "exposure": replace(model.exposure, node_port=said.node_port),
            # The entry's may ask for more replicas than a canary has.
            "disruption": Disruption(max_unavailable=1),
        }
        if said.replicas is not None:
            changed["replicas"] = said.replicas
            if said.replicas.min == said.replicas.max:
                changed["autoscaling"] = None
        return CanaryModel(**{**asdict(model), **changed}, serves=model.name)
    except ValueError as error:
        raise ValueError(f"canary: {error}") from None


def preset(model: Model) -> Preset:
    """The preset of the model's server, or what the entry says in place of one."""
    return described(model.custom) if model.custom else PRESETS[model.server]


def files(model: Model) -> Files:
    """How the model's files come into its pods."""
    return model.files or Direct()


def model_path(model: Model) -> str:
    """The URL path of the model's status, which is also the root of all that it answers."""
    return preset(model).path.replace("{name}", served_name(model))


def ready_path(model: Model) -> str:
    """The URL path that answers 200 as soon as the model can serve."""
    return preset(model).ready.replace("{name}", served_name(model))


def answered(model: Model) -> tuple[str, ...]:
    """The URL paths on which, and below which, the server answers for the model."""
    known = preset(model)
    return tuple(p.replace("{name}", served_name(model)) for p in (known.path, *known.also))


def claimed(model: Model) -> tuple[str, ...]:
    """The URL patterns that `model` claims of the load balancer."""
    if not isinstance(model.exposure, HttpLoadBalancer):
        return ()
    return routes.patterns(model.exposure.paths, preset(model).verbs)
