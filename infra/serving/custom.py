"""A model server that no preset knows, described by its entry."""

from typing import Annotated

from msgspec import Meta

from gkeplatform.config import Settings
from infra.serving.presets import CACHE, DOWNLOAD, FUSE, IMAGE, Metrics, Preset

Port = Annotated[int, Meta(ge=1024, le=65535)]
UrlPath = Annotated[str, Meta(pattern=r"^(/[A-Za-z0-9._~{}-]+)+$")]


class CustomMetrics(Settings):
    """Where the server tells Prometheus of itself."""

    port: Annotated[Port, Meta(description="Port of the metrics; it may be the REST port.")]
    path: Annotated[UrlPath, Meta(description="URL path of the metrics.")] = "/metrics"
    gauges: Annotated[
        tuple[str, ...], Meta(description="Gauges that autoscaling may aim at, by their names.")
    ] = ()


class Custom(Settings):
    """How the server of `server: custom` is started and spoken to.

    `{name}`, `{files}`, `{folder}`, `{rest_port}` and `{grpc_port}` are filled in everywhere.
    """

    rest_port: Annotated[Port, Meta(description="Port on which it answers HTTP.")]
    path: Annotated[
        UrlPath, Meta(description="URL path of the model, which answers a GET with its status.")
    ]
    ready: Annotated[
        UrlPath, Meta(description="URL path that answers 200 as soon as the model can serve.")
    ]
    alive: Annotated[
        UrlPath | None,
        Meta(description="URL path of liveness; none: whether the port takes connections."),
    ] = None
    also: Annotated[
        tuple[UrlPath, ...], Meta(description="Other URL paths on which it answers for the model.")
    ] = ()
    verbs: Annotated[
        tuple[str, ...], Meta(description="What may follow the path after a colon.")
    ] = ()
    command: Annotated[
        tuple[str, ...], Meta(description="Program to run; none: the image's own.")
    ] = ()
    grpc_port: Annotated[Port | None, Meta(description="Port on which it answers gRPC.")] = None
    metrics: Annotated[CustomMetrics | None, Meta(description="Its metrics, if it has some.")] = (
        None
    )


def preset(custom: Custom) -> Preset:
    """What `custom` says, as the presets say it."""
    told = custom.metrics
    return Preset(
        image=None,
        command=custom.command,
        rest_port=custom.rest_port,
        grpc_port=custom.grpc_port,
        metrics=Metrics(port=told.port, path=told.path, gauges=told.gauges) if told else None,
        path=custom.path,
        also=custom.also,
        verbs=custom.verbs,
        ready=custom.ready,
        alive=custom.alive,
        files=(DOWNLOAD, FUSE, CACHE, IMAGE),
    )
