"""TensorFlow Serving: https://www.tensorflow.org/tfx/serving/api_rest."""

from datetime import date

from infra.serving.models.pins import Pin
from infra.serving.models.presets.preset import (
    DIRECT,
    FIXED_PORT,
    FROM_FOLDER,
    NAME_KEY,
    SOURCE_KEY,
    Preset,
)

TENSORFLOW_SERVING = Preset(
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
        "model-name": NAME_KEY,
        "model-base-path": SOURCE_KEY,
        "rest-api-port": FIXED_PORT,
        "port": FIXED_PORT,
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
    files=(DIRECT, *FROM_FOLDER),
)
