"""Settings: a model, or an adapter, that is copied from Hugging Face into the models' bucket.

`infra/serving/imports` has the Job that copies; this module says what is copied, and where to.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta, field

from gkeplatform.config import Settings
from infra.serving.models.secrets import SecretId, SecretVersion, SyncedSecret

_MOVING = ("main", "master", "HEAD", "head", "latest")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_ELSEWHERE = {
    "gs": "the pods read other buckets of Cloud Storage: set source, and list the bucket in "
    "gke-serving:shared_buckets",
    "s3": "copy it into the models' bucket by Storage Transfer Service, and set source",
    "az": "copy it into the models' bucket by Storage Transfer Service, and set source",
    "oci": "set image, and files: {via: image}",
}
"""Other places of models, by scheme, and what to do with those."""


def _hub_model(value: object) -> str:
    written = str(value).strip()
    scheme, separator, rest = written.partition("://")
    if separator and scheme in _ELSEWHERE:
        return f'"{written}" is not on Hugging Face; {_ELSEWHERE[scheme]}'
    if scheme in {"http", "https"} and rest.startswith(("huggingface.co/", "hf.co/")):
        parts = rest.split("/")[1:3]
        if len(parts) == 2:
            return f'"{written}" is a page; did you mean "hf://{parts[0]}/{parts[1]}"?'
    if not separator and re.fullmatch(r"[\w.-]+/[\w.-]+", written):
        return f'"{written}" has no scheme; did you mean "hf://{written}"?'
    return f'"{written}" is not a model on Hugging Face, as hf://ORGANIZATION/NAME is'


def _revision(value: object) -> str:
    written = str(value)
    if written in _MOVING:
        return (
            f'"{written}" is a branch, which moves; name a commit (40 hexadecimal digits, shown '
            "under Files and versions) or a tag"
        )
    return f'"{written}" is not a commit or a tag of a repository on Hugging Face'


_PART = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
HubModel = Annotated[str, Meta(pattern=rf"^hf://{_PART}/{_PART}$", extra={"explain": _hub_model})]
Revision = Annotated[
    str,
    Meta(
        pattern=rf"^(?!({'|'.join(_MOVING)})$)[A-Za-z0-9][A-Za-z0-9._-]{{0,127}}$",
        extra={"explain": _revision},
    ),
]
FilePattern = Annotated[str, Meta(pattern=r"^[^\s/][^\s]{0,254}$")]


class HubToken(Settings):
    """An access token of Hugging Face, in Secret Manager."""

    secret_manager: Annotated[
        SecretId,
        Meta(description="Id of a secret in Secret Manager, in the environment's project."),
    ]
    version: Annotated[SecretVersion | int, Meta(description="Version of that secret.")]

    def __post_init__(self) -> None:
        if isinstance(self.version, int) and self.version < 1:
            raise ValueError(f"version {self.version}: versions are counted from 1")

    @property
    def synced(self) -> SyncedSecret:
        """The secret as it is copied into the cluster."""
        return SyncedSecret(self.secret_manager, str(self.version))


class Import(Settings):
    """A revision that a Job copies below `source`, once; pods read the copy."""

    model: Annotated[
        HubModel, Meta(description="Model on Hugging Face, `hf://ORGANIZATION/NAME`.")
    ] = field(name="from")
    revision: Annotated[
        Revision, Meta(description="Commit or tag. Another one is imported beside the former.")
    ]
    token: Annotated[
        HubToken | None,
        Meta(description="Access token, for gated and private models. Default: none."),
    ] = None
    include: Annotated[
        tuple[FilePattern, ...],
        Meta(description="Files, as patterns. Default: safetensors, configuration, tokenizer."),
    ] = ()
    exclude: Annotated[
        tuple[FilePattern, ...], Meta(description="Files to leave out of these, as patterns.")
    ] = ()
    pickles: Annotated[
        bool,
        Meta(description="Allow included files that can run code when loaded, such as `*.bin`."),
    ] = False
    timeout_seconds: Annotated[
        int, Meta(ge=60, le=86_400, description="Time that the import may take.")
    ] = 3600

    @property
    def repository(self) -> str:
        """`ORGANIZATION/NAME`."""
        return self.model.removeprefix("hf://")

    def __post_init__(self) -> None:
        if self.pickles and not self.include:
            raise ValueError(
                "pickles: no pickle is among the files that are imported by default; set include, "
                'as ["*.bin", "*.json"], or remove pickles'
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """An import as the Job has it: defaults filled in, with its target."""

    key: str
    """The key of the stack file that it comes from, for messages."""
    name: str
    """The name of the Job. It has a digest of what is imported, so that another is another Job."""
    owner: str
    """The workload that reads it."""
    repository: str
    """`ORGANIZATION/NAME`."""
    revision: str
    token: SyncedSecret | None
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    pickles: bool
    prefix: str
    """The folder of all its revisions, `gs://bucket/path`: the entry's `source`."""
    folder: str
    """The folder of this revision, below `prefix`."""
    largest: int | None
    """Bytes that the pods have room for; None: not limited."""
    timeout_seconds: int

    @property
    def bucket(self) -> str:
        """The bucket that it is copied into."""
        return self.prefix.removeprefix("gs://").partition("/")[0]

    @property
    def is_pinned(self) -> bool:
        """Whether the revision is a commit, which cannot move."""
        return _COMMIT.fullmatch(self.revision) is not None


def folder(settings: Import, prefix: str) -> str:
    """The folder of a revision below `prefix`: the revision's beginning, and a digest of it all."""
    return f"{prefix}/{settings.revision[:12].rstrip('.')}-{_digest(settings)}"


def imported(
    settings: Import, prefix: str, *, key: str, owner: str, largest: int | None = None
) -> Imported:
    """The import of `settings` below `prefix` for the workload `owner`."""
    place = hashlib.sha256(f"{prefix} {_digest(settings)}".encode()).hexdigest()[:8]
    return Imported(
        key=key,
        name=f"{owner}-import-{place}",
        owner=owner,
        repository=settings.repository,
        revision=settings.revision,
        token=settings.token.synced if settings.token else None,
        include=settings.include,
        exclude=settings.exclude,
        pickles=settings.pickles,
        prefix=prefix,
        folder=folder(settings, prefix),
        largest=largest,
        timeout_seconds=settings.timeout_seconds,
    )


def _digest(settings: Import) -> str:
    """A digest of which files are imported; not of how."""
    parts = (settings.model, settings.revision, settings.include, settings.exclude)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:8]
