"""What an entry of the catalog, or its canary, expands to: plain values, defaults filled in."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from infra.serving.exposures import Exposure, FormerExposure
from infra.serving.models import adapters as lora_adapters
from infra.serving.models import arguments, hosts, streaming
from infra.serving.models.adapters import Adapters
from infra.serving.models.availability import Disruption, Rollout, Spread
from infra.serving.models.canary import WHOLE
from infra.serving.models.database import Connection
from infra.serving.models.files import Files, room, temporary_storage
from infra.serving.models.imports import Imported, folder, imported
from infra.serving.models.model import Model
from infra.serving.models.pod_settings import PodSettings
from infra.serving.models.presets import Preset
from infra.serving.models.secrets import ValueFrom, plain, references
from infra.serving.resources import Resources
from infra.serving.scaling.settings import Autoscaling, Replicas

SETTLE_SECONDS = 30
"""Time for requests in flight after draining, before the pod is killed."""
SHUTDOWN_MARGIN = 5
"""Seconds of the settle time that a server has to end its process, once requests are done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One Deployment and its Service: a model, or its canary."""

    key: str
    """The key of the stack file that it comes from, for messages."""
    name: str
    """The name of its objects."""
    served_name: str
    """The model's name, which callers and the server use; a canary's is its model's."""
    namespace: str
    team: str | None
    server: str
    """The preset, or `custom`."""
    preset: Preset
    hosts: int = 1
    """Pods of a replica, each on a node of its own. More than one: a group, not a Deployment."""
    image: str
    arguments: tuple[str, ...]
    """The preset's arguments and the entry's own, with the preset's placeholders."""
    arguments_by_gpu: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """What is added to them on GPUs of one type, by type."""
    environment: dict[str, str]
    """The preset's environment variables and the entry's own."""
    references: dict[str, ValueFrom]
    """Environment variables whose values are kept outside the stack file."""
    pod: PodSettings
    source: str | None
    """The folder of its files; of an import, that of the revision."""
    files: Files
    imports: tuple[Imported, ...] = ()
    """What is copied from Hugging Face before its pods start: its files, then its adapters'."""
    adapters: Adapters | None = None
    """Its LoRA adapters; None: its server takes none."""
    callers: tuple[str, ...] = ()
    """The callers that may use it, with a key; empty: it is open."""
    shared_memory: str | None
    temporary_storage: str
    """Size of /tmp."""
    resources: Resources
    replicas: Replicas
    autoscaling: Autoscaling | None
    disruption: Disruption
    rollout: Rollout
    spread: Spread
    priority: str | None
    node_pool: str | None
    compute_class: str | None = None
    startup_seconds: int
    drain_seconds: int
    takes_free_text: bool
    """Whether its requests contain prompts, code or documents."""
    connection: Connection | None
    exposure: Exposure
    former_exposure: FormerExposure | None = None
    """What it moves from, where it answers as well."""
    canary: "Workload | None" = None
    weight: int = WHOLE
    """Percent of the model's requests that it gets."""
    mirror: int = 0
    """Percent of the model's requests that it gets a copy of."""

    @property
    def selector(self) -> dict[str, str]:
        """Labels that select its pods. Changing them would replace the Deployment."""
        return {"app.kubernetes.io/name": self.name, "app.kubernetes.io/component": "model-server"}

    @property
    def is_canary(self) -> bool:
        """Whether it is the second version of a model, which has the routes."""
        return self.key.endswith(".canary")

    @property
    def port_name(self) -> str:
        """Name of the port of its pods that callers use."""
        return "grpc" if self.rest_port is None else "rest"

    @property
    def is_group(self) -> bool:
        """Whether a replica is a group of pods: a LeaderWorkerSet in place of a Deployment."""
        return self.hosts > 1

    @property
    def gpus(self) -> int:
        """GPUs of a replica, over all its hosts."""
        return self.hosts * (self.resources.gpu.count if self.resources.gpu else 0)

    @property
    def chips(self) -> int:
        """TPU chips of one pod."""
        return self.resources.tpu.total // self.hosts if self.resources.tpu else 0

    @property
    def served_names(self) -> tuple[str, ...]:
        """What a request's body may name: the model, then its adapters."""
        loaded = self.adapters.loaded if self.adapters else ()
        return (self.served_name, *(one.name for one in loaded))

    @property
    def takes_adapters(self) -> bool:
        """Whether its server loads LoRA adapters while it runs."""
        return self.adapters is not None

    @property
    def formerly(self) -> "Workload | None":
        """The same where it was reached before; None if it does not move."""
        if self.former_exposure is None:
            return None
        # An Ingress leads to the model alone; from a Gateway a canary cannot move.
        return replace(self, exposure=self.former_exposure, former_exposure=None, canary=None)

    @property
    def grace_seconds(self) -> int:
        """The termination grace period: draining, then the time for requests in flight."""
        return self.drain_seconds + SETTLE_SECONDS

    @property
    def folder_name(self) -> str:
        """The directory of the model's files below `/models`; some servers read it as the name."""
        return self.name if re.search("[/:]", self.served_name) else self.served_name

    @property
    def advice(self) -> tuple[str, ...]:
        """Warnings about settings that are valid, but seldom meant."""
        return (*self._drain_advice(), *self._retry_advice())

    def _drain_advice(self) -> Iterator[str]:
        timeout = self.exposure.timeout_seconds
        if timeout is not None and timeout > self.drain_seconds:
            yield (
                f'{self.key}.drain_seconds: model "{self.name}" drains {self.drain_seconds} s, and '
                f"exposure.timeout_seconds is {timeout}: when a pod stops, longer answers are cut "
                f"off; remove drain_seconds, set it to {timeout}, or a shorter timeout"
            )

    def _retry_advice(self) -> Iterator[str]:
        """A connection to a node port stays with one pod: draining tells nobody to leave it."""
        exposure = self.exposure
        if exposure.node_port is None or exposure.retries is not None or self.is_canary:
            return
        yield (
            f'{self.key}.exposure.retries: when a pod of "{self.name}" ends, requests on the load '
            "balancer's connections to it by the node port are answered 502; set retries: "
            "{attempts: 2, conditions: [5xx]} if they may be repeated, as predictions may, or "
            "backend: network-endpoint-groups"
        )

    @property
    def rest_port(self) -> int | None:
        """The port of its REST API; None if it has none."""
        return self.preset.rest_port

    @property
    def grpc_port(self) -> int | None:
        """The port of its gRPC API; None if it has none."""
        return self.preset.grpc_port

    @property
    def grpc_services(self) -> tuple[str, ...]:
        """Its gRPC services; empty if they are unknown."""
        return self.preset.grpc_services

    @property
    def verbs(self) -> tuple[str, ...]:
        """What may follow the model's path after a colon."""
        return self.preset.verbs

    @property
    def path(self) -> str:
        """The URL path of the model's status."""
        return self._named(self.preset.path)

    @property
    def ready_path(self) -> str | None:
        """The URL path that answers 200 as soon as the model can serve; None: gRPC's health."""
        return self._named(self.preset.ready) if self.preset.ready else None

    @property
    def alive_path(self) -> str | None:
        """The URL path that answers 200 while the process works; None if there is none."""
        return self._named(self.preset.alive) if self.preset.alive else None

    @property
    def get_paths(self) -> tuple[str, ...]:
        """The URL paths that answer a GET with 200 while the model is served, the best first."""
        server = self.preset
        if server.rest_port is None or not self.replicas.min:
            return ()
        status = server.path if server.path_is_status else None
        # Health checks have no key.
        known = () if self.callers else (status, server.alive, *server.gets)
        paths = (server.ready, *known)
        return tuple(dict.fromkeys(self._named(path) for path in paths if path))

    @property
    def served_paths(self) -> tuple[str, ...]:
        """The URL paths at and below which the server answers for the model."""
        server = self.preset
        own = [self._named(path) for path in (server.path, *server.also)]
        loaded = arguments.loaded_models(server, self.arguments)
        others = [name for name in loaded if name not in {"{name}", self.served_name}]
        return (*own, *(_path_of(server.path, name) for name in others))

    def _named(self, path: str) -> str:
        return _path_of(path, self.served_name)


def _path_of(path: str, name: str) -> str:
    """A server's path for the model `name`; `*`: the one above those of all models."""
    return path.replace("/{name}" if name == "*" else "{name}", "" if name == "*" else name)


def expanded(
    model: Model,
    *,
    key: str,
    namespace: str,
    connection: Connection | None = None,
    callers: tuple[str, ...] = (),
) -> Workload:
    """The workload of `model`, with its canary's in it. `key` is the entry's, for messages.

    `namespace` is the shared one, which models without a team use; `callers` are the names of those
    that may use it.
    """
    second, share = model.canary_version, model.canary
    canary = None
    if second and share:
        canary = _workload(
            second,
            key=f"{key}.canary",
            namespace=namespace,
            connection=connection,
            callers=callers,
            weight=share.weights.canary,
            mirror=share.mirror,
        )
    return _workload(
        model,
        key=key,
        namespace=namespace,
        connection=connection,
        callers=callers,
        canary=canary,
        weight=WHOLE - canary.weight if canary else WHOLE,
    )


def _workload(
    model: Model,
    *,
    key: str,
    namespace: str,
    connection: Connection | None,
    callers: tuple[str, ...],
    canary: Workload | None = None,
    weight: int,
    mirror: int = 0,
) -> Workload:
    preset = model.preset
    taken = _imports(model, key)
    lora = model.lora_or_default
    loaded = Adapters(lora=lora, loaded=model.adapters or ()) if lora else None
    variables = {**dict(preset.environment), **model.environment}
    own_path = variables.get("PYTHONPATH")
    if loaded:
        path = own_path if isinstance(own_path, str) else None
        variables |= lora_adapters.environment(path)
    return Workload(
        key=key,
        name=model.name,
        served_name=model.model_name,
        namespace=model.team or namespace,
        team=model.team,
        server=model.server,
        preset=preset,
        hosts=model.hosts,
        image=model.image or preset.image or "",
        arguments=(
            *arguments.combined(preset, model.arguments),
            *hosts.sizes(model),
            *streaming.loading(model),
            *(loaded.arguments if loaded else ()),
            *(arguments.told_usage(model.arguments) if callers else ()),
        ),
        arguments_by_gpu=model.arguments_by_gpu,
        environment=plain(variables),
        references=references(model.environment),
        pod=model.pod,
        source=folder(model.imported, model.source or "") if model.imported else model.source,
        imports=taken,
        adapters=loaded,
        callers=callers,
        files=model.files_or_default,
        shared_memory=model.shared_memory or preset.shared_memory,
        temporary_storage=model.temporary_storage
        or temporary_storage(preset, model.files_or_default),
        resources=model.resources,
        replicas=model.replicas,
        autoscaling=model.autoscaling,
        disruption=model.disruption,
        rollout=model.rollout,
        spread=model.spread,
        priority=model.priority,
        node_pool=model.node_pool,
        compute_class=model.compute_class,
        startup_seconds=model.startup_seconds,
        drain_seconds=model.drain_or_default,
        takes_free_text=preset.takes_free_text if model.free_text is None else model.free_text,
        connection=connection,
        exposure=model.exposure,
        former_exposure=model.former_exposure,
        canary=canary,
        weight=weight,
        mirror=mirror,
    )


def _imports(model: Model, key: str) -> tuple[Imported, ...]:
    """The imports of a model: its own, and those of its adapters, each once."""
    found: dict[str, Imported] = {}
    if model.imported and model.source:
        own = imported(
            model.imported,
            model.source,
            key=f"{key}.import",
            owner=model.name,
            largest=room(model.files_or_default),
        )
        found[own.name] = own
    for index, adapter in enumerate(model.adapters or ()):
        if adapter.imported:
            one = imported(
                adapter.imported,
                adapter.source,
                key=f"{key}.adapters[{index}].import",
                owner=model.name,
            )
            found.setdefault(one.name, one)
    return tuple(found.values())
