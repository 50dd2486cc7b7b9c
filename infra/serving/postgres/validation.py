"""Validation of Postgres settings against teams, namespaces and models."""

from collections.abc import Iterable, Sequence

from gkeplatform.config import suggestion
from infra.serving.models.database import VARIABLES, ModelDatabase
from infra.serving.models.entry import Entry
from infra.serving.postgres.clusters import Cluster
from infra.serving.postgres.settings import Postgres


def check(
    args: Postgres | None,
    clusters: Sequence[Cluster],
    *,
    models: Sequence[Entry],
    teams: Sequence[str],
    namespace: str,
) -> None:
    """`ValueError`, with the key, for unknown teams, clusters, users and databases.

    `namespace` is the one that models without a team share.
    """
    if args and args.namespace in (namespace, *teams):
        raise ValueError(
            f'postgres.namespace: "{args.namespace}" holds models, whose pod security and network '
            "policies Postgres cannot keep to; choose another"
        )
    for index, cluster in enumerate(clusters):
        team = cluster.settings.team
        if team is not None and team not in teams:
            raise ValueError(
                f'postgres.clusters[{index}].team: there is no team "{team}"; '
                f"{suggestion(team, teams)}"
            )
    for index, model in enumerate(models):
        if model.postgres:
            _check_model(f"models[{index}]", model, model.postgres, clusters)


def _check_model(
    key: str, model: Entry, database: ModelDatabase, clusters: Sequence[Cluster]
) -> None:
    cluster = next((one for one in clusters if one.name == database.cluster), None)
    if cluster is None:
        nearest = suggestion(database.cluster, [one.name for one in clusters])
        raise ValueError(
            f'{key}.postgres.cluster: there is no Postgres cluster "{database.cluster}"; '
            f"{nearest if clusters else 'declare it in gke-serving:postgres'}"
        )
    settings = cluster.settings
    if settings.team != model.team:
        raise ValueError(
            f"{key}.postgres.cluster: {cluster.name} is for models of {_owner(settings.team)}, and "
            f"{model.name} is of {_owner(model.team)}; give both the same team"
        )
    users, owned = settings.login_users, cluster.databases_of(database.user)
    _check_choice(f"{key}.postgres.user", database.user, users, cluster.name, users)
    _check_choice(
        f"{key}.postgres.database", database.database, settings.databases, cluster.name, owned
    )
    if doubled := [name for name in VARIABLES if name in model.environment]:
        raise ValueError(
            f"{key}.environment.{doubled[0]}: postgres sets it already; remove one of the two"
        )


def _owner(team: str | None) -> str:
    return f"team {team}" if team else "no team"


def _check_choice(
    key: str,
    chosen: str | None,
    known: Iterable[str],
    cluster: str,
    defaults: Sequence[str],
) -> None:
    """Refuses an unknown choice, and no choice unless there is exactly one default."""
    every = list(known)
    if chosen is None and len(defaults) != 1:
        raise ValueError(f"{key}: not set, and {cluster} has {', '.join(every)}; name one of them")
    if chosen is not None and chosen not in every:
        raise ValueError(f'{key}: cluster {cluster} has no "{chosen}"; {suggestion(chosen, every)}')
