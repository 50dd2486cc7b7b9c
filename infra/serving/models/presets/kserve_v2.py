"""MLServer, or another server of the open inference protocol (KServe's version 2)."""

from datetime import date

from infra.serving.models.pins import Pin
from infra.serving.models.presets.preset import (
    FIXED_PORT,
    FROM_FOLDER,
    HOME,
    NAME_KEY,
    SOURCE_KEY,
    V2_ROUTES,
    V2_SERVICE,
    Metrics,
    Preset,
)

KSERVE_V2 = Preset(
    pin=Pin(
        image="seldonio/mlserver:1.7.1",
        released=date(2025, 6, 1),
        source="https://github.com/SeldonIO/MLServer/releases",
    ),
    command=("mlserver",),
    arguments=("start", "{files}"),
    reserved_environment={
        "MLSERVER_HTTP_PORT": FIXED_PORT,
        "MLSERVER_GRPC_PORT": FIXED_PORT,
        "MLSERVER_METRICS_PORT": FIXED_PORT,
        "MLSERVER_HOST": "the probes reach the pod's own address; remove it",
        "MLSERVER_METRICS_ENDPOINT": "its metrics are collected from /metrics; remove it",
        "MLSERVER_ROOT_PATH": "the probes ask without a prefix; set exposure.rewrites",
        "MLSERVER_MODEL_NAME": NAME_KEY,
        "MLSERVER_MODEL_URI": SOURCE_KEY,
    },
    environment=(
        HOME,
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
        V2_SERVICE,
        "inference.model_repository.ModelRepositoryService",
    ),
    metrics=Metrics(
        port=8082,
        gauges=("rest_server_requests_in_progress",),
    ),
    path="/v2/models/{name}",
    also=(*V2_ROUTES, "/invocations"),
    gets=("/v2/health/ready",),
    ready="/v2/models/{name}/ready",
    alive="/v2/health/live",
    files=FROM_FOLDER,
)
