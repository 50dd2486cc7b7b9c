"""An environment: its name, its place in Google Cloud, and the keys that all layers share.

Each `stacks/Pulumi.<environment>.yaml` is one environment. No code knows an environment by its
name: whatever differs between two of them is a key of their files. A stack is one layer of an
environment.
"""

import re
from pathlib import Path
from typing import Annotated

from msgspec import Meta, field

from gkeplatform.config import Settings

NAMESPACE = "platform"
"""The namespace of the keys that all layers share."""


def _region(value: object) -> str:
    meant = str(value).strip().lower()
    zone = re.fullmatch("([a-z]+-[a-z]+[0-9]+)-[a-z]", meant)
    return f'"{value}" is {"a zone" if zone else "no region"}; ' + (
        f'did you mean "{zone[1]}"?' if zone else "name one, as europe-west4 is"
    )


EnvironmentName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{1,9}$")]
LabelValue = Annotated[str, Meta(pattern=r"^[a-z0-9_-]{1,63}$")]


class SharedConfig(Settings):
    """Keys that every layer reads (namespace `platform`)."""

    system: Annotated[
        str,
        Meta(
            pattern=r"^[a-z][a-z0-9-]{1,11}$",
            description="Short name of the whole system: the first part of every physical name.",
        ),
    ]
    labels: Annotated[
        dict[str, LabelValue],
        Meta(description="Labels for all resources that take them, beside the platform's own."),
    ] = field(default_factory=dict)
    protect: Annotated[
        bool,
        Meta(
            description="Protect resources that hold data or an address: an update that would "
            "replace or delete one is refused."
        ),
    ] = False
    released: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^[A-Za-z]+::[^:\s]+$")], ...],
        Meta(
            description="Resources not protected for one update, by type and name: "
            "`Bucket::models`."
        ),
    ] = ()
    pin_images: Annotated[
        bool,
        Meta(
            description="Refuse a model server image whose tag names no version, such as `latest`."
        ),
    ] = False
    promoted_from: Annotated[
        EnvironmentName | None,
        Meta(description="The environment that CI deploys before this one. Default: none."),
    ] = None


class GoogleConfig(Settings, forbid_unknown_fields=False):
    """Project and region of the environment (namespace `gcp`, shared with the provider)."""

    project: Annotated[
        str,
        Meta(
            pattern=r"^[a-z][a-z0-9-]{4,28}[a-z0-9]$",
            description="Project ID, not the project's number or display name.",
        ),
    ]
    region: Annotated[
        str,
        Meta(
            pattern=r"^[a-z]+-[a-z]+[0-9]+$",
            description="Region, such as `europe-west4`.",
            extra={"explain": _region},
        ),
    ]


class Environment(Settings):
    """One environment as the layers see it."""

    name: EnvironmentName
    project: str
    region: str
    system: str
    labels: dict[str, LabelValue] = field(default_factory=dict)
    pin_images: bool = False


def environment_of(stack: str) -> str:
    """The environment of a stack by its name: `dev` for `dev` and for `dev.vision`."""
    return stack.split(".", 1)[0]


def environments(root: Path) -> list[str]:
    """The environments of the repository at `root`, by their stack files."""
    files = (root / "stacks").glob("Pulumi.*.yaml")
    return sorted(file.name.removeprefix("Pulumi.").removesuffix(".yaml") for file in files)


def file_of(environment: str) -> str:
    """The environment's stack file, relative to the root of the repository."""
    return f"stacks/Pulumi.{environment}.yaml"
