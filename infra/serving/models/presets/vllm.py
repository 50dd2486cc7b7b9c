"""vLLM: https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html."""

from datetime import date

from infra.serving.models.pins import Pin
from infra.serving.models.presets.preset import (
    FIXED_PORT,
    FROM_FOLDER,
    HOME,
    NAME_KEY,
    SOURCE_KEY,
    STREAMER,
    Metrics,
    Preset,
)

_HOSTS = "set hosts to the number of hosts"
_PLAIN = "the probes and the load balancer speak HTTP without TLS; remove it"
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

VLLM = Preset(
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
        "model": SOURCE_KEY,
        "served-model-name": NAME_KEY,
        "port": FIXED_PORT,
        "uds": FIXED_PORT,
        "grpc": "the probes need HTTP; remove it, or use server: custom",
        "ssl-keyfile": _PLAIN,
        "ssl-certfile": _PLAIN,
        "headless": _HOSTS,
        "nnodes": _HOSTS,
        "node-rank": _HOSTS,
        "data-parallel-address": "set replicas in place of data-parallel ranks on other hosts",
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
        HOME,
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
    gets=("/ping", "/version"),
    ready="/health",
    alive="/health",
    files=(*FROM_FOLDER, STREAMER),
    shared_memory="2Gi",
    # Caches of torch.compile and Triton kernels.
    temporary_storage="10Gi",
    needs_gpu=True,
    takes_adapters=True,
    chooses_arguments=True,
    takes_hosts=True,
    takes_free_text=True,
    language_metrics="vllm",
)
