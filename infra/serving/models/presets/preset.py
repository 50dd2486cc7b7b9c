"""What a preset of a model server states."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from infra.serving.models.pins import Pin

DIRECT, DOWNLOAD, FUSE, CACHE, IMAGE = "direct", "download", "gcs-fuse", "cache", "image"
STREAMER = "streamer"
"""How a model's files get into its pods; `files.py` has the settings of each."""
TEXT_ROUTES = ("/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages")
"""Paths of OpenAI's and Anthropic's APIs that take prompts."""
GRPC_HEALTH = "grpc.health.v1.Health"
"""gRPC's standard health service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """The Prometheus endpoint of a server."""

    port: int
    path: str = "/metrics"
    gauges: tuple[str, ...] = ()
    """Metrics that an autoscaler may target. Counters and histograms cannot be targets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """How a model server is started, its ports, and its URLs for models, readiness and liveness.

    `{name}`, `{files}`, `{folder}`, `{rest_port}`, `{grpc_port}` and `{shutdown_seconds}` are
    replaced per model: `files` is the directory of the model's files, `folder` its parent, and
    `shutdown_seconds` the time for requests in flight after SIGTERM.
    """

    pin: Pin | None
    """Its image; None: the entry must set one."""
    command: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    """An argument of the entry replaces the flag of the same name, unless it is reserved."""
    reserved_flags: Mapping[str, str] = field(default_factory=dict)
    """Flags that an entry may not set, spelled `a-b`, and what to set instead."""
    repeatable_flags: tuple[str, ...] = ()
    """Flags that may be given several times: the entry's are added."""
    model_flag: str | None = None
    """A flag whose values are further models, each with `path` of its own name."""
    excluded_flags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Flags that the server refuses beside one that the entry sets: the preset's are left out."""
    address_flags: tuple[str, ...] = ()
    """Flags that name an address to listen on, which must be one that probes reach."""
    parallel_flags: tuple[tuple[str, ...], ...] = ()
    """Flags whose numbers are multiplied to the number of accelerators, each with its aliases."""
    reserved_environment: Mapping[str, str] = field(default_factory=dict)
    """Environment variables that an entry may not set, and what to set instead."""
    environment: tuple[tuple[str, str], ...] = ()
    rest_port: int | None
    """None: it speaks gRPC only."""
    grpc_port: int | None = None
    grpc_services: tuple[str, ...] = ()
    """Its gRPC services, `package.Service`. Empty: unknown."""
    metrics: Metrics | None = None
    path: str
    """URL path of one model: its status, and the root of its verbs."""
    also: tuple[str, ...] = ()
    """Other URL paths of the server, with everything below them."""
    gets: tuple[str, ...] = ()
    """Further URL paths that answer a GET with 200, besides `path`, `ready` and `alive`."""
    path_is_status: bool = True
    """Whether a GET of `path` answers 200; False if it takes POST only."""
    verbs: tuple[str, ...] = ()
    """What may follow the path after a colon."""
    ready: str | None
    """URL path that answers 200 as soon as the model can serve, and only then.

    None: gRPC's health service (`grpc.health.v1.Health`) is asked.
    """
    alive: str | None = None
    """URL path that answers 200 while the process works; None: its port takes connections."""
    files: tuple[str, ...]
    """Ways in which it can get its files, in order of preference."""
    names_have_slashes: bool = False
    """Whether a model's name may have slashes and colons, as those of Hugging Face have."""
    shared_memory: str | None = None
    """Size of /dev/shm, through which the server's processes exchange tensors."""
    temporary_storage: str = "1Gi"
    """Size of /tmp, which is on the node's disk."""
    direct_storage: str = "1Gi"
    """Size of /tmp if the server reads the bucket itself."""
    needs_gpu: bool = False
    built_for: tuple[str, ...] = ("gpu",)
    """Accelerators that its image can use: `gpu`, `tpu`."""
    takes_adapters: bool = False
    """Whether it loads LoRA adapters by vLLM's API."""
    chooses_arguments: bool = False
    """Whether its image has Python, and the last of a flag that is given twice counts."""
    takes_hosts: bool = False
    """Whether one model can be divided over several hosts."""
    takes_free_text: bool = False
    """Whether requests contain prompts, code or documents."""
    language_metrics: Literal["vllm"] | None = None
    """Whose names its metrics of tokens have; None: it has none."""

    @property
    def image(self) -> str | None:
        """The image; None: the entry must set one."""
        return self.pin.image if self.pin else None


FROM_FOLDER = (DOWNLOAD, FUSE, CACHE)
"""Ways to get the files of a server that reads a folder only."""
NAME_KEY = "set served_name"
SOURCE_KEY = "set source"
FIXED_PORT = "the preset's probes and Services use its port; remove it, or use server: custom"
V2_ROUTES = ("/v2/health", "/v2/repository")
"""Routes of the open inference protocol beside a model's own."""
V2_SERVICE = "inference.GRPCInferenceService"
# The root file system is read-only and the user has no home directory.
HOME = ("HOME", "/tmp")  # noqa: S108 - in the container
