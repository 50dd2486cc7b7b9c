"""Model servers that the platform knows how to run, as data. A new one is one entry here."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """How a model server is started, where it listens and how it says that it can serve.

    `{name}`, `{source}`, `{rest_port}` and `{grpc_port}` are filled in per model.
    """

    image: str
    command: tuple[str, ...]
    arguments: tuple[str, ...]
    rest_port: int
    grpc_port: int
    path: str
    """URL path of one model: its status, and the root of its verbs."""
    verbs: tuple[str, ...]
    """What may follow the path after a colon."""


PRESETS: dict[str, Preset] = {
    "tensorflow-serving": Preset(
        image="tensorflow/serving:2.19.1",
        # The image's entrypoint is a shell script that fixes the model's place; the server is not.
        command=("tensorflow_model_server",),
        arguments=(
            "--model_name={name}",
            "--model_base_path={source}",
            "--rest_api_port={rest_port}",
            "--port={grpc_port}",
        ),
        rest_port=8501,
        grpc_port=8500,
        path="/v1/models/{name}",
        verbs=("predict", "classify", "regress"),
    ),
}
