"""What is true of a whole environment, whichever layer asks.

An environment is dev, stage, prod or another that has its own `stacks/Pulumi.<environment>.yaml`.
It is not a stack: a stack is one layer of an environment.
"""

from pathlib import Path
from typing import Annotated

from msgspec import Meta, field

from gkeplatform.config import Settings

NAMESPACE = "platform"
"""The namespace in the stack file of the keys that all layers share."""

LabelValue = Annotated[str, Meta(pattern=r"^[a-z0-9_-]{1,63}$")]


class SharedConfig(Settings):
    """Keys that every layer reads (namespace `platform`)."""

    system: Annotated[
        str,
        Meta(
            pattern=r"^[a-z][a-z0-9-]{1,11}$",
            description="Short name of the whole system; the first part of every physical name.",
        ),
    ]
    labels: Annotated[
        dict[str, LabelValue],
        Meta(description="Labels put on everything that takes them, beside the platform's own."),
    ] = field(default_factory=dict)
    protect: Annotated[
        bool,
        Meta(
            description="Whether what holds data or an address is protected: an update that "
            "would replace or delete it is refused."
        ),
    ] = False
    released: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^[A-Za-z]+::[^:\s]+$")], ...],
        Meta(description="What is not protected, for one update: `Bucket::models`, kind and name."),
    ] = ()
    pin_images: Annotated[
        bool,
        Meta(
            description="Refuse a model server image whose tag names no version, such as `latest`."
        ),
    ] = False


class GoogleConfig(Settings, forbid_unknown_fields=False):
    """Where in Google Cloud the environment lives (namespace `gcp`, shared with the provider)."""

    project: Annotated[
        str,
        Meta(
            pattern=r"^[a-z][a-z0-9-]{4,28}[a-z0-9]$",
            description="Project id (not its number, not its display name).",
        ),
    ]
    region: Annotated[
        str,
        Meta(pattern=r"^[a-z]+-[a-z]+[0-9]+$", description="Region, for example `europe-west4`."),
    ]


class Environment(Settings):
    """One environment: its name, its place in Google Cloud, its system's name and labels."""

    name: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{1,9}$")]
    project: str
    region: str
    system: str
    labels: dict[str, LabelValue] = field(default_factory=dict)
    pin_images: bool = False


def environment_of(stack: str) -> str:
    """The environment's name in a stack's: `dev` of `dev` and of `dev.vision`."""
    return stack.split(".", 1)[0]


def environments(root: Path) -> list[str]:
    """The environments of the repository at `root`: those that have a stack file."""
    files = (root / "stacks").glob("Pulumi.*.yaml")
    return sorted(file.name.removeprefix("Pulumi.").removesuffix(".yaml") for file in files)


def file_of(environment: str) -> str:
    """The one file that holds an environment, relative to the root of the repository."""
    return f"stacks/Pulumi.{environment}.yaml"
