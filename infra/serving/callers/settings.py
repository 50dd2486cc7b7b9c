"""Settings of callers: who may use which model, how much, and with which keys."""

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta

from gkeplatform.config import Settings, suggestion
from infra.serving.models.secrets import SecretId, SecretVersion
from infra.serving.patterns import Name, duplicate

Failure = Literal["open", "close"]
Limit = Annotated[int, Meta(ge=1, le=2**31 - 1)]
LARGEST_KEYS = 2
"""The key in use, and the next one while callers change to it."""


class CallerKey(Settings):
    """A version of a secret in Secret Manager that has an API key."""

    secret_manager: Annotated[
        SecretId, Meta(description="Id of the secret, in the environment's project.")
    ]
    version: Annotated[
        SecretVersion | int,
        Meta(description="Version of the secret, or `latest`, which follows it."),
    ]

    def __post_init__(self) -> None:
        if isinstance(self.version, int) and self.version < 1:
            raise ValueError(f"version {self.version}: versions are counted from 1")

    @property
    def file(self) -> str:
        """The entry of the Secret that has the key."""
        return f"{self.secret_manager}.{self.version}"


class Caller(Settings):
    """One caller, known by its API keys."""

    name: Annotated[Name, Meta(description="Name in the audit log; unique.")]
    models: Annotated[
        tuple[Name, ...],
        Meta(min_length=1, description="Names of the entries that it may use, with adapters."),
    ]
    keys: Annotated[
        tuple[CallerKey, ...],
        Meta(
            min_length=1,
            max_length=LARGEST_KEYS,
            description="Its API key; two while it changes to another one.",
        ),
    ]
    requests_per_minute: Annotated[
        Limit | None, Meta(description="Requests to all its models together. Default: no limit.")
    ] = None
    tokens_per_minute: Annotated[
        Limit | None,
        Meta(
            description="Tokens of prompts and answers of all its models together. Default: no "
            "limit."
        ),
    ] = None

    def __post_init__(self) -> None:
        if twice := duplicate(self.models):
            raise ValueError(f"models lists {twice} twice; once is enough")
        if twice := duplicate(tuple(one.file for one in self.keys)):
            raise ValueError(f"keys lists {twice} twice; once is enough")


class Audit(Settings):
    """Where the audit log is kept, and how long: a log bucket of its own."""

    retention_days: Annotated[
        int, Meta(ge=1, le=3650, description="Days that a line is kept; then it is deleted.")
    ]
    location: Annotated[
        Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]*$")] | None,
        Meta(
            description="Region of the log bucket, or `eu`, `us`, `global`. Another one makes "
            "another bucket, and this one stays with its lines. Default: the environment's "
            "region."
        ),
    ] = None
    locked: Annotated[
        bool,
        Meta(
            description="Lock the retention: nobody can change it, unlock the bucket, or delete "
            "it while it has lines. It cannot be undone."
        ),
    ] = False


class CallersArgs(Settings):
    """API keys and limits of callers. Models that no caller names are open as before."""

    failure: Annotated[
        Failure,
        Meta(
            description="What happens while nobody counts: `open` lets requests with a valid key "
            "pass without limits, `close` answers 503."
        ),
    ]
    allowed: Annotated[
        tuple[Caller, ...], Meta(min_length=1, description="The callers, one entry each.")
    ]
    replicas: Annotated[
        Annotated[int, Meta(ge=2, le=20)], Meta(description="Replicas of each model's gateway.")
    ] = 2
    audit: Annotated[
        Audit | None,
        Meta(
            description="Keep the audit log in a log bucket of its own. Default: its lines are in "
            "the project's `_Default` bucket, for as long as that keeps them."
        ),
    ] = None

    def __post_init__(self) -> None:
        owners: dict[str, str] = {}
        for index, caller in enumerate(self.allowed):
            if caller.name in [one.name for one in self.allowed[:index]]:
                raise ValueError(
                    f'allowed[{index}].name: "{caller.name}" is the name of another caller, too; '
                    "rename one"
                )
            for place, key in enumerate(caller.keys):
                owner = owners.setdefault(key.file, caller.name)
                if owner != caller.name:
                    raise ValueError(
                        f"allowed[{index}].keys[{place}]: {key.secret_manager} version "
                        f'{key.version} is the key of "{owner}" already, and a key tells who '
                        "calls; create a secret for each caller"
                    )

    def of(self, model: str) -> tuple[str, ...]:
        """The names of the callers that may use a model."""
        return tuple(one.name for one in self.allowed if model in one.models)

    @property
    def keys(self) -> tuple[CallerKey, ...]:
        """The keys of all callers, in the order of their names."""
        return tuple(sorted((k for one in self.allowed for k in one.keys), key=lambda k: k.file))


def check_models(callers: CallersArgs, models: Sequence[str]) -> None:
    """`ValueError` for a model that does not exist."""
    for index, caller in enumerate(callers.allowed):
        for place, name in enumerate(caller.models):
            if name not in models:
                raise ValueError(
                    f'callers.allowed[{index}].models[{place}]: there is no model "{name}"; '
                    f"{suggestion(name, models)}"
                )
