"""A model's Postgres database: the settings of an entry, and its container's environment.

The clusters are in `postgres`.
"""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from gkeplatform.config import Settings
from infra.serving.manifest import Manifest

PORT = 5432
VARIABLES = ("PGHOST", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD", "PGSSLMODE")
"""Environment variables of libpq, which almost every Postgres client reads."""


class ModelDatabase(Settings):
    """The database that a model server connects to, and its user."""

    cluster: Annotated[str, Meta(description="One of `postgres.clusters`.")]
    user: Annotated[
        str | None, Meta(description="One of the cluster's users. Default: its only one.")
    ] = None
    database: Annotated[
        str | None, Meta(description="One of the cluster's databases. Default: its only one.")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """The address of a model's database, and the Secret with its credentials."""

    host: str
    database: str
    secret: str


def environment(connection: Connection) -> list[Manifest]:
    """Environment variables of a container. Credentials come from the Secret only."""
    plain = {
        "PGHOST": connection.host,
        "PGPORT": str(PORT),
        "PGDATABASE": connection.database,
        # The server's certificate is self-signed: it prevents eavesdropping, not impersonation.
        "PGSSLMODE": "require",
    }
    secret = {"PGUSER": "username", "PGPASSWORD": "password"}
    return [
        *({"name": name, "value": value} for name, value in plain.items()),
        *(
            {
                "name": name,
                "valueFrom": {"secretKeyRef": {"name": connection.secret, "key": key}},
            }
            for name, key in secret.items()
        ),
    ]
