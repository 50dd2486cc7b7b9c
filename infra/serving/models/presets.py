"""Presets of model servers, as data. A new model server is one entry here.

Sources of the figures: docs/guides/adding-a-model.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from infra.serving.models.pins import Pin

DIRECT, DOWNLOAD, FUSE, CACHE, IMAGE = "direct", "download", "gcs-fuse", "cache", "image"
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
    takes_free_text: bool = False
    """Whether requests contain prompts, code or documents."""

    @property
    def image(self) -> str | None:
        """The image; None: the entry must set one."""
        return self.pin.image if self.pin else None


_FROM_FOLDER = (DOWNLOAD, FUSE, CACHE)
_NAME = "set served_name"
_SOURCE = "set source"
_ONE_NODE = "a model runs on one node; docs/guides/not-offered.md says what to do instead"
_PLAIN = "the probes and the load balancer speak HTTP without TLS; remove it"
_PORT = "the preset's probes and Services use its port; remove it, or use server: custom"
# https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html. Each task enables some.
_VLLM_ROUTES = (
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/responses",
    "/v1/messages",
    "/v1/embeddings",
    "/v1/score",
    "/v1/rerank",
    "/v1/audio/transcriptions",
    "/v1/audio/translations",
    "/v1/realtime",
    "/v1/load_lora_adapter",
    "/v1/unload_lora_adapter",
    "/v2/embed",
    "/v2/rerank",
    "/inference/v1/generate",
    "/tokenize",
    "/detokenize",
    "/tokenizer_info",
    "/pooling",
    "/classify",
    "/score",
    "/rerank",
    "/invocations",
    "/ping",
    "/health",
    "/load",
    "/version",
    "/metrics",
    "/docs",
    "/openapi.json",
)
# Routes of the open inference protocol beside a model's own.
_V2_ROUTES = ("/v2/health", "/v2/repository")
_V2_SERVICE = "inference.GRPCInferenceService"
# The root file system is read-only and the user has no home directory.
_HOME = ("HOME", "/tmp")  # noqa: S108 - in the container

PRESETS: dict[str, Preset] = {
    "tensorflow-serving": Preset(
        pin=Pin(
            image="tensorflow/serving:2.20.0",
            released=date(2026, 8, 12),
            source="https://github.com/tensorflow/serving/issues/4129",
        ),
        # The image's entrypoint, a shell script, fixes the model's path.
        command=("tensorflow_model_server",),
        arguments=(
            "--model_name={name}",
            "--model_base_path={files}",
            "--rest_api_port={rest_port}",
            "--port={grpc_port}",
        ),
        reserved_flags={
            "model-name": _NAME,
            "model-base-path": _SOURCE,
            "rest-api-port": _PORT,
            "port": _PORT,
            # It would replace the model's name and path.
            "model-config-file": "the probes ask for one model; use server: custom",
        },
        rest_port=8501,
        grpc_port=8500,
        grpc_services=(
            "tensorflow.serving.PredictionService",
            "tensorflow.serving.ModelService",
            "tensorflow.serving.SessionService",
        ),
        path="/v1/models/{name}",
        verbs=("predict", "classify", "regress"),
        # It has no readiness URL for the whole server.
        ready="/v1/models/{name}",
        # For GPUs there are tags that end in -gpu.
        built_for=(),
        files=(DIRECT, *_FROM_FOLDER),
    ),
    "triton": Preset(
        pin=Pin(
            image="nvcr.io/nvidia/tritonserver:26.10-py3",
            released=date(2026, 10, 1),
            source="https://docs.nvidia.com/deeplearning/triton-inference-server/release-notes/"
            "rel-26-10.html",
        ),
        command=("tritonserver",),
        arguments=(
            "--model-repository={folder}",
            "--model-control-mode=explicit",
            "--load-model={name}",
            "--http-port={rest_port}",
            "--grpc-port={grpc_port}",
            "--metrics-port=8002",
            # The default, stated because it matters: exit if the model cannot be loaded.
            "--exit-on-error=true",
        ),
        reserved_flags={
            "model-repository": _SOURCE,
            "model-store": _SOURCE,
            "http-port": _PORT,
            "grpc-port": _PORT,
            "metrics-port": _PORT,
            "allow-http": "the probes need HTTP; remove it",
            "allow-grpc": "its Service has a gRPC port; remove it",
            "allow-metrics": "its metrics are collected; remove it",
        },
        address_flags=("http-address", "grpc-address", "metrics-address"),
        repeatable_flags=("load-model",),
        # It accepts --load-model in explicit mode only.
        excluded_flags={"model-control-mode": ("load-model",)},
        environment=(_HOME,),
        rest_port=8000,
        grpc_port=8001,
        grpc_services=(_V2_SERVICE, GRPC_HEALTH),
        metrics=Metrics(
            port=8002,
            gauges=("nv_inference_pending_request_count", "nv_gpu_utilization"),
        ),
        path="/v2/models/{name}",
        also=(
            *_V2_ROUTES,
            "/v2/logging",
            "/v2/trace",
            "/v2/systemsharedmemory",
            "/v2/cudasharedmemory",
        ),
        ready="/v2/models/{name}/ready",
        alive="/v2/health/live",
        files=(*_FROM_FOLDER, DIRECT),
        shared_memory="1Gi",
        # It copies the model from the bucket to /tmp.
        direct_storage="20Gi",
    ),
    "vllm": Preset(
        pin=Pin(
            image="vllm/vllm-openai:v0.33.0",
            # Earliest day on which others are known to have used it.
            released=date(2026, 11, 5),
            source="https://github.com/vllm-project/vllm/releases/tag/v0.33.0",
        ),
        command=("vllm", "serve"),
        arguments=(
            "{files}",
            "--served-model-name={name}",
            "--port={rest_port}",
            # Without it vLLM aborts all requests on SIGTERM: vllm-project/vllm#36666.
            "--shutdown-timeout={shutdown_seconds}",
        ),
        reserved_flags={
            "model": _SOURCE,
            "served-model-name": _NAME,
            "port": _PORT,
            "uds": _PORT,
            "grpc": "the probes need HTTP; remove it, or use server: custom",
            "ssl-keyfile": _PLAIN,
            "ssl-certfile": _PLAIN,
            "headless": _ONE_NODE,
            "nnodes": _ONE_NODE,
            "node-rank": _ONE_NODE,
            "data-parallel-address": _ONE_NODE,
        },
        address_flags=("host",),
        # https://docs.vllm.ai/en/stable/serving/parallelism_scaling/
        parallel_flags=(
            ("tensor-parallel-size", "tp"),
            ("pipeline-parallel-size", "pp"),
            ("data-parallel-size", "dp"),
        ),
        names_have_slashes=True,
        environment=(
            _HOME,
            ("VLLM_CACHE_ROOT", "/tmp/vllm"),  # noqa: S108 - in the container
            ("VLLM_NO_USAGE_STATS", "1"),
            # Do not download missing files.
            ("HF_HUB_OFFLINE", "1"),
        ),
        rest_port=8000,
        metrics=Metrics(
            port=8000,
            gauges=(
                "vllm:num_requests_running",
                "vllm:num_requests_waiting",
                "vllm:kv_cache_usage_perc",
            ),
        ),
        path="/v1/models",
        also=_VLLM_ROUTES,
        ready="/health",
        alive="/health",
        files=_FROM_FOLDER,
        shared_memory="2Gi",
        # Caches of torch.compile and Triton kernels.
        temporary_storage="10Gi",
        needs_gpu=True,
        takes_free_text=True,
    ),
    # KServe's protocol version 2, the open inference protocol. MLServer by default; other servers
    # of the protocol by `image` and `arguments`.
    "kserve-v2": Preset(
        pin=Pin(
            image="seldonio/mlserver:1.7.1",
            released=date(2025, 6, 1),
            source="https://github.com/SeldonIO/MLServer/releases",
        ),
        command=("mlserver",),
        arguments=("start", "{files}"),
        reserved_environment={
            "MLSERVER_HTTP_PORT": _PORT,
            "MLSERVER_GRPC_PORT": _PORT,
            "MLSERVER_METRICS_PORT": _PORT,
            "MLSERVER_HOST": "the probes reach the pod's own address; remove it",
            "MLSERVER_METRICS_ENDPOINT": "its metrics are collected from /metrics; remove it",
            "MLSERVER_ROOT_PATH": "the probes ask without a prefix; set exposure.rewrites",
            "MLSERVER_MODEL_NAME": _NAME,
            "MLSERVER_MODEL_URI": _SOURCE,
        },
        environment=(
            _HOME,
            ("MLSERVER_HTTP_PORT", "{rest_port}"),
            ("MLSERVER_GRPC_PORT", "{grpc_port}"),
            ("MLSERVER_METRICS_PORT", "8082"),
            ("MLSERVER_METRICS_DIR", "/tmp"),  # noqa: S108 - in the container
            ("MLSERVER_ENVIRONMENTS_DIR", "/tmp"),  # noqa: S108 - in the container
            ("MLSERVER_MODEL_NAME", "{name}"),
        ),
        rest_port=8080,
        grpc_port=8081,
        grpc_services=(
            _V2_SERVICE,
            "inference.model_repository.ModelRepositoryService",
        ),
        metrics=Metrics(
            port=8082,
            gauges=("rest_server_requests_in_progress",),
        ),
        path="/v2/models/{name}",
        also=(*_V2_ROUTES, "/invocations"),
        ready="/v2/models/{name}/ready",
        alive="/v2/health/live",
        files=_FROM_FOLDER,
    ),
}

PINS: Mapping[str, Pin] = {
    f"preset {name}": preset.pin for name, preset in PRESETS.items() if preset.pin
}
"""The image of each preset."""

REMOVED = {
    "torchserve": "its makers no longer maintain it; run it with server: custom, as "
    "CHANGELOG.md shows",
}
"""Presets of former releases, and what to do instead."""

CUSTOM = "custom"
"""The server of an entry that describes it under the key `custom`."""
SERVERS = (*PRESETS, CUSTOM)
