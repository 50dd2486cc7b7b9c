"""A Postgres cluster with the names that follow from its settings: roles, Secrets, connections."""

from collections.abc import Sequence
from dataclasses import dataclass

from infra.serving.models.database import Connection, ModelDatabase
from infra.serving.postgres.settings import Postgres, PostgresCluster


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A Postgres cluster and the two namespaces that it concerns."""

    settings: PostgresCluster
    namespace: str
    """The namespace of its instances."""
    models_namespace: str
    """The namespace of the models that use it, where the operator puts their credentials."""

    @property
    def name(self) -> str:
        """The name of the cluster and of its Service."""
        return self.settings.name

    def role(self, user: str) -> str:
        """A user's name for the operator and Postgres; the prefix is its Secret's namespace."""
        return f"{self.models_namespace}.{user}"

    def secret(self, role: str) -> str:
        """The name of the Secret that the operator creates for a role."""
        return f"{role.replace('_', '-')}.{self.name}.credentials.postgresql.acid.zalan.do"

    def databases_of(self, user: str | None) -> list[str]:
        """The databases that `user` owns; None: all of them."""
        return [name for name, owner in self.settings.databases.items() if user in (None, owner)]


def expanded(args: Postgres | None, *, models_namespace: str) -> tuple[Cluster, ...]:
    """The clusters. `models_namespace` is the shared one, for clusters without a team."""
    if args is None:
        return ()
    return tuple(
        Cluster(
            settings=cluster,
            namespace=args.namespace,
            models_namespace=cluster.team or models_namespace,
        )
        for cluster in args.clusters
    )


def connection(database: ModelDatabase | None, clusters: Sequence[Cluster]) -> Connection | None:
    """How the pods of a model connect; None if it has no database.

    The settings must have been validated.
    """
    if database is None:
        return None
    [cluster] = [one for one in clusters if one.name == database.cluster]
    user = database.user or cluster.settings.login_users[0]
    return Connection(
        host=f"{cluster.name}.{cluster.namespace}.svc",
        database=database.database or cluster.databases_of(database.user)[0],
        secret=cluster.secret(cluster.role(user)),
    )
