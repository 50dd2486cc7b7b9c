"""What an entry of the catalogue says of its database, and what its pods are told of one.

Which databases there are is said in `postgres`; this is the models' side.
"""

from dataclasses import dataclass
from typing import Annotated, Any

from msgspec import Meta

from gkeplatform.config import Settings

PORT = 5432
VARIABLES = ("PGHOST", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD", "PGSSLMODE")
"""What libpq, and with it almost every client of Postgres, reads from its environment."""


class ModelDatabase(Settings):
    """Which database a model server connects to, and as whom."""

    cluster: Annotated[str, Meta(description="One of `postgres.clusters`.")]
    user: Annotated[
        str | None, Meta(description="One of the cluster's users; none: its only one.")
    ] = None
    database: Annotated[
        str | None, Meta(description="One of the cluster's databases; none: its only one.")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Where a model's database answers, and the Secret that the operator keeps its login in."""

    host: str
    database: str
    secret: str


def environment(connection: Connection) -> list[dict[str, Any]]:
    """The variables of a container that connects; the login is nowhere but in the Secret."""
    plain = {
        "PGHOST": connection.host,
        "PGPORT": str(PORT),
        "PGDATABASE": connection.database,
        # The server's certificate is its own: it keeps listeners out, not impostors.
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
