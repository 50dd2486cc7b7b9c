"""Settings: a second version of a model that gets a share of its requests."""

from typing import Annotated

from msgspec import Meta, field

from gkeplatform.config import Settings
from infra.serving.models.imports import Import
from infra.serving.patterns import Image, NodePort, Source
from infra.serving.scalars import Text, texts
from infra.serving.scaling.settings import Replicas

SUFFIX = "-canary"
WHOLE = 100

Percent = Annotated[int, Meta(ge=0, le=WHOLE)]


class Weights(Settings):
    """Shares of the requests, in percent. 100 and 0 takes the canary out of service."""

    stable: Annotated[Percent, Meta(description="Share of the model itself.")]
    canary: Annotated[Percent, Meta(description="Share of the canary.")]

    def __post_init__(self) -> None:
        total = self.stable + self.canary
        if total != WHOLE:
            raise ValueError(
                f"stable {self.stable} and canary {self.canary} add up to {total}, not {WHOLE}; "
                f"set stable: {WHOLE - self.canary}, or canary: {WHOLE - self.stable}"
            )


class Canary(Settings):
    """The second version. Keys that are not set have the model's values."""

    weights: Annotated[Weights, Meta(description="Shares of the requests.")]
    source: Annotated[
        Source | None, Meta(description="Folder of its files, `gs://bucket/path`.")
    ] = None
    imported: Annotated[
        Import | None, Meta(description="Import of its files, such as another revision.")
    ] = field(name="import", default=None)
    image: Annotated[Image | None, Meta(description="Its image, with a fixed tag or a digest.")] = (
        None
    )
    arguments: Annotated[
        tuple[Text, ...] | None, Meta(description="Its arguments, in place of the model's.")
    ] = None
    mirror: Annotated[
        Percent,
        Meta(description="Percent of the requests that it gets a copy of; responses are dropped."),
    ] = 0
    replicas: Annotated[
        Replicas | None,
        Meta(description="Bounds of its replicas. Default: the model's, so that it can take over."),
    ] = None
    node_port: Annotated[
        NodePort | None,
        Meta(description="Its node port; required by `instance-groups`, else not allowed."),
    ] = None

    def __post_init__(self) -> None:
        texts(self, "arguments")
        if self.mirror and self.weights.canary:
            raise ValueError(
                f"mirror {self.mirror} beside weights.canary {self.weights.canary}: the canary "
                "would get some requests twice; set weights: {stable: 100, canary: 0} while "
                "requests are mirrored, or mirror: 0"
            )
