"""Settings: Postgres clusters and their operator."""

from typing import Annotated, Literal

from msgspec import Meta, field

from gkeplatform.buckets import BucketArgs
from gkeplatform.config import Settings, suggestion
from infra.serving.patterns import RESERVED_NAMESPACES, Name, StorageClass
from infra.serving.quantity import Size
from infra.serving.resources import ContainerResources

SYSTEM_USERS = ("postgres", "standby")
"""Users that the operator creates: the superuser, and the replicas' user."""
RESERVED_USERS = (*SYSTEM_USERS, "admin", "cron_admin", "zalandos", "robot_zmon", "public", "none")
"""Names reserved by the operator or Postgres. The operator ignores such users silently."""

UserName = Annotated[str, Meta(pattern=r"^[a-z]([_a-z0-9]{0,28}[a-z0-9])?$")]
DatabaseName = Annotated[str, Meta(pattern=r"^[a-z_][_a-z0-9]{0,62}$")]
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

    size: Annotated[Size, Meta(description="Size; it can grow but not shrink.")]
    storage_class: Annotated[
        StorageClass,
        Meta(
            description="Storage class of new instances' disks. Instances that exist keep "
            "their disk and its class."
        ),
    ] = "premium-rwo"


class Backups(Settings):
    """Base backups and the write-ahead log, in the bucket: point-in-time recovery."""

    schedule: Annotated[Cron, Meta(description="Schedule of base backups, as cron, in UTC.")] = (
        "0 1 * * *"
    )
    retain: Annotated[
        int, Meta(ge=2, le=365, description="Base backups kept, with the log since the oldest.")
    ] = 7


class Restore(Settings):
    """A point in another cluster's past that a new cluster starts from. Read at creation only."""

    cluster: Annotated[Name, Meta(description="Name of the cluster to restore.")]
    uid: Annotated[str, Meta(description="Its uid: the folder of its backups in the bucket.")]
    at: Annotated[
        Moment, Meta(description="Point in time, with its zone: `2026-11-21T09:00:00+00:00`.")
    ]


class PostgresCluster(Settings):
    """One Postgres cluster: a primary and its replicas."""

    name: Annotated[Name, Meta(description="Name of the cluster and of its Service.")]
    instances: Annotated[int, Meta(ge=1, le=9, description="Primary and replicas together.")]
    volume: Annotated[Volume, Meta(description="Disk of each instance.")]
    resources: Annotated[
        ContainerResources, Meta(description="Requests and limits of each instance.")
    ]
    users: Annotated[
        dict[UserName, tuple[Flag, ...]],
        Meta(min_length=1, description="Users by name, with their role attributes."),
    ]
    databases: Annotated[
        dict[DatabaseName, UserName],
        Meta(min_length=1, description="Databases by name, each with the user that owns it."),
    ]
    version: Annotated[
        Literal["14", "15", "16", "17"],
        Meta(description="Major version. Raising it upgrades in place."),
    ] = "17"
    team: Annotated[
        str | None,
        Meta(
            description="One of `teams`, whose models may use it. Default: models without a team."
        ),
    ] = None
    synchronous: Annotated[
        bool,
        Meta(description="A commit waits for a replica, so that losing the primary loses no data."),
    ] = False
    parameters: Annotated[
        dict[str, str], Meta(description="Parameters of the server: `max_connections`, …")
    ] = field(default_factory=dict)
    backups: Annotated[Backups | None, Meta(description="Backups to the bucket; null: none.")] = (
        Backups()
    )
    restore: Annotated[
        Restore | None, Meta(description="Start as a copy of another cluster at a point in time.")
    ] = None

    def __post_init__(self) -> None:
        if self.synchronous and self.instances < 2:
            raise ValueError(
                "synchronous: one instance has no replica to wait for; set instances to 2 or more"
            )
        if self.resources.limits.cpu is None:
            raise ValueError(
                "resources.limits.cpu is missing; Postgres' operator would set a limit of its own, "
                "which may be below the request"
            )
        for user in self.users:
            if user in RESERVED_USERS or user.startswith("pg_"):
                raise ValueError(
                    f'users: "{user}" is reserved by Postgres or its operator; choose another name'
                )
        for database, owner in self.databases.items():
            if owner not in self.users:
                raise ValueError(
                    f'databases.{database}: there is no user "{owner}"; '
                    f"{suggestion(owner, self.users)}"
                )

    @property
    def login_users(self) -> list[str]:
        """The users that may log in."""
        return [user for user, flags in self.users.items() if "nologin" not in flags]


class BackupsBucket(BucketArgs):
    """The bucket that holds the clusters' backups."""


class Postgres(Settings):
    """Postgres clusters, and Zalando's operator that runs them."""

    clusters: Annotated[
        tuple[PostgresCluster, ...], Meta(min_length=1, description="The clusters.")
    ]
    namespace: Annotated[
        Name, Meta(description="Namespace of the operator and of all clusters.")
    ] = "postgres"
    backups_bucket: Annotated[BackupsBucket, Meta(description="Bucket for backups.")] = (
        BackupsBucket()
    )

    def __post_init__(self) -> None:
        names = [cluster.name for cluster in self.clusters]
        for index, name in enumerate(names):
            if name in names[:index]:
                raise ValueError(f'clusters[{index}].name: "{name}" is used twice; rename one')
        if self.namespace.startswith(RESERVED_NAMESPACES):
            raise ValueError(
                f'namespace "{self.namespace}" is reserved for the cluster; choose another'
            )
