"""A second version of a model, beside the first: what an entry says of it.

Which objects it gets is decided in `model`; that requests are shared out among the two by weight,
in the networking layer.
"""

from typing import Annotated

from msgspec import Meta

from gkeplatform.config import Settings
from infra.serving.forms import Image, NodePort, Source
from infra.serving.scaling import Replicas

SUFFIX = "-canary"
WHOLE = 100

Percent = Annotated[int, Meta(ge=0, le=WHOLE)]


class Weights(Settings):
    """How the requests are shared out, in percent: 100 and 0 takes the canary back."""

    stable: Annotated[Percent, Meta(description="Share of the model as its entry has it.")]
    canary: Annotated[Percent, Meta(description="Share of the second version.")]

    def __post_init__(self) -> None:
        together = self.stable + self.canary
        if together != WHOLE:
            raise ValueError(
                f"stable {self.stable} and canary {self.canary} add up to {together}, not {WHOLE}; "
                f"set stable: {WHOLE - self.canary}, or canary: {WHOLE - self.stable}"
            )


class Canary(Settings):
    """The second version: what it does not say is as the entry has it."""

    weights: Annotated[Weights, Meta(description="How the requests are shared out.")]
    source: Annotated[
        Source | None, Meta(description="Folder of its versions, `gs://bucket/path`.")
    ] = None
    image: Annotated[Image | None, Meta(description="Its image, with a fixed tag or a digest.")] = (
        None
    )
    arguments: Annotated[
        tuple[str, ...] | None, Meta(description="Its arguments, in place of the entry's.")
    ] = None
    mirror: Annotated[
        Percent,
        Meta(description="Percent of the requests that it gets a copy of; nobody sees its answer."),
    ] = 0
    replicas: Annotated[
        Replicas | None,
        Meta(description="Bounds of its replicas; none: the entry's, so that it can take over."),
    ] = None
    node_port: Annotated[
        NodePort | None,
        Meta(description="Its port of every node; for `instance-groups` only, which need it."),
    ] = None

    def __post_init__(self) -> None:
        if self.mirror and self.weights.canary:
            raise ValueError(
                f"mirror {self.mirror} beside weights.canary {self.weights.canary}: what it "
                "answers it would be asked again; set weights: {stable: 100, canary: 0} while it "
                "is mirrored to, or mirror: 0"
            )
