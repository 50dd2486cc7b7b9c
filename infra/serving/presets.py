"""Model servers that the platform knows how to run, as data. A new one is one entry here.

Where each figure comes from is in docs/guides/adding-a-model.md.
"""

from dataclasses import dataclass

DIRECT, DOWNLOAD, FUSE, CACHE, IMAGE = "direct", "download", "gcs-fuse", "cache", "image"
"""How a server gets its model's files; `infra/serving/files.py` says what each is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """Where a server tells Prometheus of itself."""

    port: int
    path: str = "/metrics"
    gauges: tuple[str, ...] = ()
    """What an autoscaler may aim at. Counters and histograms are not among them: they only grow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """How a model server is started, where it listens and how it says that it can serve.

    `{name}`, `{files}`, `{folder}`, `{rest_port}` and `{grpc_port}` are filled in per model: files
    is where the model's files are, folder what they are in.
    """

    image: str | None
    """None: the entry names it."""
    command: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    rest_port: int
    grpc_port: int | None = None
    metrics: Metrics | None = None
    path: str
    """URL path of one model: its status, and the root of its verbs."""
    also: tuple[str, ...] = ()
    """Other URL paths on which the server answers for the model."""
    verbs: tuple[str, ...] = ()
    """What may follow the path after a colon."""
    ready: str
    """URL path that answers 200 as soon as the model can serve, and only then."""
    alive: str | None = None
    """URL path that answers 200 while the process works; None: its port takes connections."""
    files: tuple[str, ...]
    """How it may get its files; the first is how it does where the entry does not say."""
    shared_memory: str | None = None
    """Size of /dev/shm, where processes of the server hand each other tensors."""
    needs_gpu: bool = False


_FROM_FOLDER = (DOWNLOAD, FUSE, CACHE)
# No home of its own is writable: the root file system is read-only, and the user is nobody.
_HOME = ("HOME", "/tmp")  # noqa: S108 - in the container

PRESETS: dict[str, Preset] = {
    "tensorflow-serving": Preset(
        image="tensorflow/serving:2.19.1",
        # The image's entrypoint is a shell script that fixes the model's place; the server is not.
        command=("tensorflow_model_server",),
        arguments=(
            "--model_name={name}",
            "--model_base_path={files}",
            "--rest_api_port={rest_port}",
            "--port={grpc_port}",
        ),
        rest_port=8501,
        grpc_port=8500,
        path="/v1/models/{name}",
        verbs=("predict", "classify", "regress"),
        # It has no URL that answers for the server as a whole.
        ready="/v1/models/{name}",
        files=(DIRECT, *_FROM_FOLDER),
    ),
    "triton": Preset(
        image="nvcr.io/nvidia/tritonserver:25.08-py3",
        command=("tritonserver",),
        arguments=(
            "--model-repository={folder}",
            "--model-control-mode=explicit",
            "--load-model={name}",
            "--http-port={rest_port}",
            "--grpc-port={grpc_port}",
            "--metrics-port=8002",
            # As it is, a server that could not load its model ends; it must not seem well.
            "--exit-on-error=true",
        ),
        environment=(_HOME,),
        rest_port=8000,
        grpc_port=8001,
        metrics=Metrics(
            port=8002,
            gauges=("nv_inference_pending_request_count", "nv_gpu_utilization"),
        ),
        path="/v2/models/{name}",
        ready="/v2/models/{name}/ready",
        alive="/v2/health/live",
        files=(*_FROM_FOLDER, DIRECT),
        shared_memory="1Gi",
    ),
    "vllm": Preset(
        image="vllm/vllm-openai:v0.11.0",
        command=("vllm", "serve"),
        arguments=("{files}", "--served-model-name={name}", "--port={rest_port}"),
        environment=(
            _HOME,
            ("VLLM_CACHE_ROOT", "/tmp/vllm"),  # noqa: S108 - in the container
            ("VLLM_NO_USAGE_STATS", "1"),
            # What is not in the model's folder is not fetched from somewhere else.
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
        also=("/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses"),
        ready="/health",
        alive="/health",
        files=_FROM_FOLDER,
        shared_memory="2Gi",
        needs_gpu=True,
    ),
    "torchserve": Preset(
        image="pytorch/torchserve:0.12.0-cpu",
        command=("torchserve",),
        arguments=(
            "--start",
            "--foreground",
            "--no-config-snapshots",
            # It would ask every caller, load balancers among them, for a key that it makes anew
            # at each start. Models cannot be registered by its API, which is off of itself.
            "--disable-token-auth",
            "--ts-config=/home/model-server/config.properties",
            "--model-store={files}",
            "--models={name}={name}.mar",
        ),
        environment=(
            _HOME,
            ("LOG_LOCATION", "/tmp/logs"),  # noqa: S108 - in the container
            ("METRICS_LOCATION", "/tmp/logs"),  # noqa: S108 - in the container
        ),
        rest_port=8080,
        grpc_port=7070,
        metrics=Metrics(port=8082),
        path="/predictions/{name}",
        ready="/ping",
        files=_FROM_FOLDER,
    ),
    # KServe's protocol, version 2, also called the open inference protocol. MLServer by default;
    # any other server of the protocol by `image` and `arguments`.
    "kserve-v2": Preset(
        image="seldonio/mlserver:1.6.1",
        command=("mlserver",),
        arguments=("start", "{files}"),
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
        metrics=Metrics(
            port=8082,
            gauges=("rest_server_requests_in_progress",),
        ),
        path="/v2/models/{name}",
        ready="/v2/models/{name}/ready",
        alive="/v2/health/live",
        files=_FROM_FOLDER,
    ),
}

CUSTOM = "custom"
"""The server of an entry that says itself what a preset would (`infra/serving/custom.py`)."""
SERVERS = (*PRESETS, CUSTOM)
