"""NVIDIA Triton: https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/."""

from datetime import date

from infra.serving.models.pins import Pin
from infra.serving.models.presets.preset import (
    DIRECT,
    FIXED_PORT,
    FROM_FOLDER,
    GRPC_HEALTH,
    HOME,
    SOURCE_KEY,
    V2_ROUTES,
    V2_SERVICE,
    Metrics,
    Preset,
)

TRITON = Preset(
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
        "model-repository": SOURCE_KEY,
        "model-store": SOURCE_KEY,
        "http-port": FIXED_PORT,
        "grpc-port": FIXED_PORT,
        "metrics-port": FIXED_PORT,
        "allow-http": "the probes need HTTP; remove it",
        "allow-grpc": "its Service has a gRPC port; remove it",
        "allow-metrics": "its metrics are collected; remove it",
    },
    address_flags=("http-address", "grpc-address", "metrics-address"),
    repeatable_flags=("load-model",),
    model_flag="load-model",
    # It accepts --load-model in explicit mode only.
    excluded_flags={"model-control-mode": ("load-model",)},
    environment=(HOME,),
    rest_port=8000,
    grpc_port=8001,
    grpc_services=(V2_SERVICE, GRPC_HEALTH),
    metrics=Metrics(
        port=8002,
        gauges=("nv_inference_pending_request_count", "nv_gpu_utilization"),
    ),
    path="/v2/models/{name}",
    also=(
        *V2_ROUTES,
        "/v2/logging",
        "/v2/trace",
        "/v2/systemsharedmemory",
        "/v2/cudasharedmemory",
    ),
    gets=("/v2/health/ready",),
    ready="/v2/models/{name}/ready",
    alive="/v2/health/live",
    files=(*FROM_FOLDER, DIRECT),
    shared_memory="1Gi",
    # It copies the model from the bucket to /tmp.
    direct_storage="20Gi",
)
