"""Postgres clusters: what a stack file says of them, and what follows by name.

Pure functions over the configuration. The objects that Zalando's operator reads are in
`postgres_objects`, the operator itself in `postgres_operator`.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta, field

from gkeplatform.buckets import BucketArgs
from gkeplatform.config import Settings, suggestion
from infra.serving.database import VARIABLES, Connection
from infra.serving.quantity import Quantity
from infra.serving.sizing import Resources
from infra.serving.teams import RESERVED

if TYPE_CHECKING:
    from infra.serving.config import ServingConfig
    from infra.serving.model import Model

SYSTEM_USERS = ("postgres", "standby")
"""Whom the operator makes by itself: the superuser, and the one that replicas connect as."""
TAKEN = (*SYSTEM_USERS, "admin", "cron_admin", "zalandos", "robot_zmon", "public", "none")
"""Names that the operator or Postgres keeps; a user of that name would silently not be made."""

ClusterName = Annotated[str, Meta(pattern=r"^[a-z]([-a-z0-9]{0,28}[a-z0-9])?$")]
UserName = Annotated[str, Meta(pattern=r"^[a-z]([_a-z0-9]{0,28}[a-z0-9])?$")]
DatabaseName = Annotated[str, Meta(pattern=r"^[a-z_][_a-z0-9]{0,62}$")]
StorageClass = Annotated[str, Meta(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
Cron = Annotated[str, Meta(pattern=r"^([0-9*,/-]+ ){4}[0-9*,/-]+$")]
Moment = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?[+-]\d\d:\d\d$")]
Flag = Literal[
    "login",
    "nologin",
    "inherit",
    "noinherit",
    "createdb",
    "createrole",
    "bypassrls",
    "replication",
    "superuser",
]


class Volume(Settings):
    """The disk of each instance."""

    size: Annotated[Quantity, Meta(description="Size; it can grow, never shrink.")]
    storage_class: Annotated[StorageClass, Meta(description="Class of disk.")] = "premium-rwo"


class Backups(Settings):
    """Whole copies and every change after them, in the bucket: any moment can be had back."""

    schedule: Annotated[Cron, Meta(description="When a whole copy is made, as cron, in UTC.")] = (
        "0 1 * * *"
    )
    retain: Annotated[
        int, Meta(ge=2, le=365, description="Whole copies kept, with the changes since the oldest.")
    ] = 7


class Restore(Settings):
    """Another cluster's past, with which a new one begins. It is read once, when it is made."""

    cluster: Annotated[ClusterName, Meta(description="Name of the cluster that is restored.")]
    uid: Annotated[str, Meta(description="Its uid: the folder of its backups in the bucket.")]
    at: Annotated[
        Moment, Meta(description="The moment, with its zone: `2026-11-21T09:00:00+00:00`.")
    ]


class PostgresCluster(Settings):
    """One Postgres cluster: a primary, and replicas that follow it."""

    name: Annotated[ClusterName, Meta(description="Name of the cluster and of its Service.")]
    instances: Annotated[int, Meta(ge=1, le=9, description="Primary and replicas together.")]
    volume: Annotated[Volume, Meta(description="Disk of each instance.")]
    resources: Annotated[Resources, Meta(description="Requests and limits of each instance.")]
    users: Annotated[
        dict[UserName, tuple[Flag, ...]],
        Meta(min_length=1, description="Users by name, with their rights in the whole cluster."),
    ]
    databases: Annotated[
        dict[DatabaseName, UserName],
        Meta(min_length=1, description="Databases by name, each with the user who owns it."),
    ]
    version: Annotated[
        Literal["14", "15", "16", "17"],
        Meta(description="Major version; raising it upgrades in place."),
    ] = "17"
    team: Annotated[
        str | None,
        Meta(description="One of `teams`, whose models may use it; none: those without a team."),
    ] = None
    synchronous: Annotated[
        bool,
        Meta(description="A commit waits for a replica, so that a lost primary loses nothing."),
    ] = False
    parameters: Annotated[
        dict[str, str], Meta(description="Parameters of the server: `max_connections`, …")
    ] = field(default_factory=dict)
    backups: Annotated[Backups | None, Meta(description="Backups into the bucket; null: none.")] = (
        Backups()
    )
    restore: Annotated[
        Restore | None, Meta(description="Begin as another cluster was at a moment.")
    ] = None

    def __post_init__(self) -> None:
        if self.synchronous and self.instances < 2:
            raise ValueError("synchronous: one instance has no replica to wait for; set instances")
        if self.resources.gpu is not None:
            raise ValueError("resources.gpu is for model servers; remove it")
        for user in self.users:
            if user in TAKEN or user.startswith("pg_"):
                raise ValueError(
                    f'users: "{user}" is a name that Postgres or its operator keeps; choose another'
                )
        for database, owner in self.databases.items():
            if owner not in self.users:
                raise ValueError(
                    f'databases.{database}: there is no user "{owner}"; '
                    f"{suggestion(owner, self.users)}"
                )


class BackupsBucket(BucketArgs):
    """The bucket that holds the clusters' backups."""


class Postgres(Settings):
    """Postgres clusters, and Zalando's operator, which runs them."""

    clusters: Annotated[
        tuple[PostgresCluster, ...], Meta(min_length=1, description="The clusters.")
    ]
    namespace: Annotated[
        ClusterName, Meta(description="Namespace of the operator and of all clusters.")
    ] = "postgres"
    backups_bucket: Annotated[BackupsBucket, Meta(description="Bucket for backups.")] = (
        BackupsBucket()
    )

    def __post_init__(self) -> None:
        names = [cluster.name for cluster in self.clusters]
        for index, name in enumerate(names):
            if name in names[:index]:
                raise ValueError(f'clusters[{index}].name: "{name}" is there already; rename one')
        if self.namespace.startswith(RESERVED):
            raise ValueError(
                f'namespace "{self.namespace}" is one of the cluster\'s own; choose another'
            )


def check(config: "ServingConfig") -> None:
    """Refuses clusters without a team or a namespace of their own, and models without a cluster."""
    teams = [team.name for team in config.teams]
    if config.postgres:
        if config.postgres.namespace in (config.namespace, *teams):
            raise ValueError(
                f'postgres.namespace: "{config.postgres.namespace}" holds models, whose pods keep '
                "to rules that Postgres' cannot; choose another"
            )
        for index, cluster in enumerate(config.postgres.clusters):
            if cluster.team is not None and cluster.team not in teams:
                raise ValueError(
                    f'postgres.clusters[{index}].team: there is no team "{cluster.team}"; '
                    f"{suggestion(cluster.team, teams)}"
                )
    for index, model in enumerate(config.models):
        if model.postgres:
            _check_model(f"models[{index}]", model, config)


def _check_model(key: str, model: "Model", config: "ServingConfig") -> None:
    asked = model.postgres
    assert asked is not None  # noqa: S101 (only those that have one are checked)
    every = config.postgres.clusters if config.postgres else ()
    found = next((one for one in every if one.name == asked.cluster), None)
    if found is None:
        said = suggestion(asked.cluster, [one.name for one in every])
        raise ValueError(
            f'{key}.postgres.cluster: there is no Postgres cluster "{asked.cluster}"; '
            f"{said if every else 'declare it in gke-serving:postgres'}"
        )
    if found.team != model.team:
        raise ValueError(
            f"{key}.postgres.cluster: {found.name} is for models of {_whose(found.team)}, and "
            f"{model.name} is of {_whose(model.team)}; give both the same team"
        )
    owned = [d for d, owner in found.databases.items() if asked.user in (None, owner)]
    _chosen(f"{key}.postgres.user", asked.user, able(found), found.name)
    _chosen(f"{key}.postgres.database", asked.database, found.databases, found.name, owned)
    if doubled := [name for name in VARIABLES if name in model.environment]:
        raise ValueError(
            f"{key}.environment.{doubled[0]}: postgres says it already; remove one of the two"
        )


def _whose(team: str | None) -> str:
    return f"team {team}" if team else "no team"


def _chosen(
    key: str,
    asked: str | None,
    known: Iterable[str],
    cluster: str,
    likely: Iterable[str] | None = None,
) -> None:
    every = list(known)
    if asked is None and len(list(every if likely is None else likely)) != 1:
        raise ValueError(f"{key}: not said, and {cluster} has {', '.join(every)}; name one of them")
    if asked is not None and asked not in every:
        raise ValueError(f'{key}: cluster {cluster} has no "{asked}"; {suggestion(asked, every)}')


def able(cluster: PostgresCluster) -> list[str]:
    """The users that may log in."""
    return [user for user, flags in cluster.users.items() if "nologin" not in flags]


def home_of(cluster: PostgresCluster, config: "ServingConfig") -> str:
    """The namespace of the models that use a cluster, where the operator puts their logins."""
    return cluster.team or config.namespace


def role(cluster: PostgresCluster, user: str, config: "ServingConfig") -> str:
    """A user as the operator and Postgres call it: before the dot is where its Secret lies."""
    return f"{home_of(cluster, config)}.{user}"


def secret(cluster: PostgresCluster, user: str) -> str:
    """The name of the Secret of a user, as the operator makes it."""
    return f"{user.replace('_', '-')}.{cluster.name}.credentials.postgresql.acid.zalan.do"


def connection(model: "Model", config: "ServingConfig") -> Connection | None:
    """What a model's pods are told of their database; None where it has none."""
    asked, postgres = model.postgres, config.postgres
    if asked is None or postgres is None:
        return None
    [cluster] = [one for one in postgres.clusters if one.name == asked.cluster]
    user = asked.user or able(cluster)[0]
    owned = [d for d, owner in cluster.databases.items() if asked.user in (None, owner)]
    return Connection(
        host=f"{cluster.name}.{postgres.namespace}.svc",
        database=asked.database or owned[0],
        secret=secret(cluster, role(cluster, user, config)),
    )
