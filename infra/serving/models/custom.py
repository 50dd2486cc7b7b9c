"""Settings: a model server without a preset, described by its entry."""

import re
from typing import Annotated

from msgspec import Meta

from gkeplatform.config import Settings
from infra.serving.models.presets import (
    CACHE,
    DOWNLOAD,
    FUSE,
    GRPC_HEALTH,
    IMAGE,
    TEXT_ROUTES,
    Metrics,
    Preset,
)
from infra.serving.scalars import Text, text

Port = Annotated[int, Meta(ge=1024, le=65535)]
GrpcService = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$")]
_STEP = r"([A-Za-z0-9._~-]|\{name\})+"


def _path(value: object) -> str:
    written = str(value)
    if unknown := [one for one in re.findall(r"\{[^}]*\}?", written) if one != "{name}"]:
        return f'"{written}" has {unknown[0]}; of the placeholders a URL takes {{name}} only'
    return f'"{written}" is not a URL path, as /v1/models is'


UrlPath = Annotated[str, Meta(pattern=rf"^(/|(/{_STEP})+)$", extra={"explain": _path})]
ProbePath = Annotated[
    str,
    # With a query, as some servers have it: `/health?ready=1`.
    Meta(pattern=rf"^/({_STEP}/?)*(\?[A-Za-z0-9._~=&-]+)?$", extra={"explain": _path}),
]
Verb = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9_-]+$",
        extra={"explain": lambda one: f'"{one}" is not a verb, as predict is, without the colon'},
    ),
]


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

    rest_port: Annotated[
        Port | None, Meta(description="Port of its HTTP API. Default: it speaks gRPC only.")
    ] = None
    path: Annotated[
        UrlPath | None,
        Meta(description="URL path of the model, which answers a GET with its status."),
    ] = None
    ready: Annotated[
        ProbePath | None,
        Meta(description="URL path that answers 200 as soon as the model can serve."),
    ] = None
    alive: Annotated[
        ProbePath | None,
        Meta(description="URL path for liveness. Default: whether the port accepts connections."),
    ] = None
    also: Annotated[
        tuple[UrlPath, ...], Meta(description="Other URL paths on which it answers for the model.")
    ] = ()
    verbs: Annotated[
        tuple[Verb, ...], Meta(description="What may follow the path after a colon.")
    ] = ()
    command: Annotated[
        tuple[Text, ...], Meta(description="Program to run. Default: the image's own.")
    ] = ()
    grpc_port: Annotated[
        Port | None,
        Meta(description="Port of its gRPC API; without HTTP, it must serve grpc.health.v1."),
    ] = None
    grpc_services: Annotated[
        tuple[GrpcService, ...],
        Meta(description="Its gRPC services, as `package.Service`. Default: any path is accepted."),
    ] = ()
    metrics: Annotated[CustomMetrics | None, Meta(description="Its metrics, if it has any.")] = None

    def __post_init__(self) -> None:
        if self.grpc_port is not None and self.grpc_port == self.rest_port:
            raise ValueError(
                f"grpc_port {self.grpc_port} is rest_port too, and a Service has each port once; "
                "leave out grpc_port, and set exposure.protocol: http2"
            )
        if self.metrics and self.metrics.port == self.grpc_port:
            raise ValueError(
                f"metrics.port {self.metrics.port} is grpc_port, and metrics are collected by HTTP"
            )
        if self.rest_port is not None:
            for key in ("path", "ready"):
                if getattr(self, key) is None:
                    raise ValueError(f"{key} is missing; a server with a rest_port needs it")
        elif self.grpc_port is None:
            raise ValueError("rest_port is missing; set it, or grpc_port for a server of gRPC only")
        else:
            for key in ("path", "ready", "alive", "also", "verbs"):
                if getattr(self, key):
                    raise ValueError(
                        f"{key} is a URL of an HTTP API; set rest_port, or remove it: a server of "
                        f"gRPC only is probed by {GRPC_HEALTH}"
                    )


def preset(custom: Custom) -> Preset:
    """`custom` in the form of a preset."""
    metrics = custom.metrics
    return Preset(
        pin=None,
        command=tuple(str(text(word)) for word in custom.command),
        rest_port=custom.rest_port,
        grpc_port=custom.grpc_port,
        grpc_services=custom.grpc_services,
        metrics=(
            Metrics(port=metrics.port, path=metrics.path, gauges=metrics.gauges)
            if metrics
            else None
        ),
        path=custom.path or f"/{GRPC_HEALTH}",
        also=custom.also,
        verbs=custom.verbs,
        ready=custom.ready,
        alive=custom.alive,
        takes_free_text=bool({custom.path, *custom.also} & set(TEXT_ROUTES)),
        files=(DOWNLOAD, FUSE, CACHE, IMAGE),
        names_have_slashes=True,
    )
