"""Settings: a model server without a preset, described by its entry."""

from typing import Annotated

from msgspec import Meta

from gkeplatform.config import Settings
from infra.serving.models.presets import CACHE, DOWNLOAD, FUSE, IMAGE, Metrics, Preset
from infra.serving.scalars import Text, text

Port = Annotated[int, Meta(ge=1024, le=65535)]
UrlPath = Annotated[str, Meta(pattern=r"^(/[A-Za-z0-9._~{}-]+)+$")]


class CustomMetrics(Settings):
    """The server's Prometheus endpoint."""

    port: Annotated[Port, Meta(description="Port of the metrics; may be the REST port.")]
    path: Annotated[UrlPath, Meta(description="URL path of the metrics.")] = "/metrics"
    gauges: Annotated[
        tuple[str, ...], Meta(description="Names of gauges that autoscaling may target.")
    ] = ()


class Custom(Settings):
    """How a server without a preset is started and called.

    `{name}`, `{files}`, `{folder}`, `{rest_port}` and `{grpc_port}` are replaced everywhere.
    """

    rest_port: Annotated[Port, Meta(description="Port of its HTTP API.")]
    path: Annotated[
        UrlPath, Meta(description="URL path of the model, which answers a GET with its status.")
    ]
    ready: Annotated[
        UrlPath, Meta(description="URL path that answers 200 as soon as the model can serve.")
    ]
    alive: Annotated[
        UrlPath | None,
        Meta(description="URL path for liveness. Default: whether the port accepts connections."),
    ] = None
    also: Annotated[
        tuple[UrlPath, ...], Meta(description="Other URL paths on which it answers for the model.")
    ] = ()
    verbs: Annotated[
        tuple[str, ...], Meta(description="What may follow the path after a colon.")
    ] = ()
    command: Annotated[
        tuple[Text, ...], Meta(description="Program to run. Default: the image's own.")
    ] = ()
    grpc_port: Annotated[Port | None, Meta(description="Port of its gRPC API.")] = None
    metrics: Annotated[CustomMetrics | None, Meta(description="Its metrics, if it has any.")] = None


def preset(custom: Custom) -> Preset:
    """`custom` in the form of a preset."""
    metrics = custom.metrics
    return Preset(
        pin=None,
        command=tuple(str(text(word)) for word in custom.command),
        rest_port=custom.rest_port,
        grpc_port=custom.grpc_port,
        metrics=(
            Metrics(port=metrics.port, path=metrics.path, gauges=metrics.gauges)
            if metrics
            else None
        ),
        path=custom.path,
        also=custom.also,
        verbs=custom.verbs,
        ready=custom.ready,
        alive=custom.alive,
        files=(DOWNLOAD, FUSE, CACHE, IMAGE),
        names_have_slashes=True,
    )
