"""Rules about Postgres: Zalando's `postgresql` objects, and Cloud SQL where a team has one."""

from collections.abc import Iterator

from policies.rule import Reference, google, mandatory
from policies.subjects import gcp, kubernetes
from policies.values import Props, block, entries, flag, number, text, texts

POSTGRES = kubernetes("acid.zalan.do", "postgresql")
SQL = gcp("sql/databaseInstance:DatabaseInstance")
_MANIFEST = Reference(
    "Zalando Postgres operator",
    "Cluster manifest reference",
    "https://postgres-operator.readthedocs.io/en/latest/reference/cluster_manifest/",
)
_OLDEST = 14
"""The oldest major version that the project still mends, until November 2026."""


def _cluster(**spec: object) -> Props:
    return {
        "metadata": {"name": "acme-features", "namespace": "databases"},
        "spec": {
            "teamId": "acme",
            "numberOfInstances": 2,
            "volume": {"size": "10Gi"},
            "postgresql": {"version": "17"},
            "users": {"features": []},
            "databases": {"features": "features"},
            **spec,
        },
    }


@mandatory(
    POSTGRES,
    layer="serving",
    severity="medium",
    why="A database of one instance is away for as long as its node's drain or crash takes.",
    fix="run two instances or more (gke-serving:postgres.clusters[].instances)",
    references=(_MANIFEST,),
    passing=_cluster(),
    failing=_cluster(numberOfInstances=1),
)
def postgres_has_a_standby(cluster: Props) -> Iterator[str]:
    """A Postgres cluster has two instances or more."""
    instances = number(cluster, "spec", "numberOfInstances")
    if instances is None or (0 < instances < 2):
        yield f"numberOfInstances is {'not set' if instances is None else f'{instances:.0f}'}"


@mandatory(
    POSTGRES,
    layer="serving",
    severity="high",
    why="A standby repeats every mistake; only a backup is from before it.",
    fix="keep backups (gke-serving:postgres.clusters[].backups)",
    references=(_MANIFEST,),
    passing=_cluster(env=[{"name": "WAL_GS_BUCKET", "value": "acme-backups"}]),
    failing=_cluster(),
)
def postgres_is_backed_up(cluster: Props) -> Iterator[str]:
    """A Postgres cluster archives its log, or has a logical backup."""
    spec = block(cluster, "spec")
    # A variable without a value takes the bucket of the operator's configuration away.
    given = (one for one in entries(spec, "env") if text(one, "value") or one.get("valueFrom"))
    names = {text(variable, "name") for variable in given}
    archives = {"WAL_GS_BUCKET", "WALG_GS_PREFIX", "WAL_S3_BUCKET", "WALE_GS_PREFIX"}
    if not names & archives and not flag(spec, "enableLogicalBackup"):
        yield "its env names no bucket for the log, and enableLogicalBackup is not true"


@mandatory(
    POSTGRES,
    layer="serving",
    severity="high",
    why="What an application is tricked into, a superuser does: reading files and running programs "
    "on the server among it.",
    fix="give the application's user no flags, and a database that it owns "
    "(gke-serving:postgres.clusters[].users)",
    references=(_MANIFEST,),
    passing=_cluster(),
    failing=_cluster(users={"features": ["superuser"]}),
)
def postgres_users_are_no_superusers(cluster: Props) -> Iterator[str]:
    """No user of a Postgres cluster is a superuser, or may become one."""
    users = block(cluster, "spec", "users")
    for name in users:
        strong = {"superuser", "createrole"} & {one.lower() for one in texts(users, name)}
        if strong:
            yield f"user {name} is {', '.join(sorted(strong))}"


@mandatory(
    POSTGRES,
    layer="serving",
    severity="medium",
    why="A version that is mended no longer keeps every weakness that is found from now on.",
    fix="choose a version that is supported (gke-serving:postgres.clusters[].version)",
    references=(
        Reference(
            "PostgreSQL", "Versioning policy", "https://www.postgresql.org/support/versioning/"
        ),
    ),
    passing=_cluster(),
    failing=_cluster(postgresql={"version": "11"}),
)
def postgres_is_supported(cluster: Props) -> Iterator[str]:
    """A Postgres cluster runs a version that is still mended."""
    version = number(cluster, "spec", "postgresql", "version")
    if version is None:
        yield "postgresql.version is not set"
    elif version < _OLDEST:
        yield f"postgresql.version {version:.0f} is older than {_OLDEST}"


@mandatory(
    POSTGRES,
    layer="serving",
    severity="medium",
    why="Without a size the database has no volume; without requests it shares its node with "
    "whatever comes.",
    fix="state gke-serving:postgres.clusters[].volume.size and "
    "gke-serving:postgres.clusters[].resources.requests",
    references=(_MANIFEST,),
    passing=_cluster(resources={"requests": {"cpu": "500m", "memory": "1Gi"}}),
    failing=_cluster(volume={}),
)
def postgres_states_its_size(cluster: Props) -> Iterator[str]:
    """A Postgres cluster states its volume and its requests."""
    spec = block(cluster, "spec")
    if not text(spec, "volume", "size"):
        yield "volume.size is not set"
    for key in ("cpu", "memory"):
        if block(spec, "resources", "requests").get(key) is None:
            yield f"resources.requests.{key} is not set"


@mandatory(
    POSTGRES,
    layer="serving",
    severity="high",
    why="A database with an address of its own is tried by everybody who finds it; without TLS its "
    "passwords are read on the way.",
    fix="leave the load balancers off and pg_hba at hostssl",
    references=(_MANIFEST,),
    passing=_cluster(patroni={"pg_hba": ["hostssl all all all scram-sha-256"]}),
    failing=_cluster(enableMasterLoadBalancer=True),
)
def postgres_keeps_to_itself(cluster: Props) -> Iterator[str]:
    """A Postgres cluster is reached inside the cluster alone, over TLS."""
    spec = block(cluster, "spec")
    for key in ("enableMasterLoadBalancer", "enableReplicaLoadBalancer"):
        if flag(spec, key):
            yield f"{key} is true"
    for line in texts(spec, "patroni", "pg_hba"):
        words = line.split()
        is_local = len(words) > 3 and words[3] in {"127.0.0.1/32", "::1/128", "samehost"}
        if words and words[0] in {"host", "hostnossl"} and not is_local:
            yield f"patroni.pg_hba takes connections without TLS: {line}"
        if words and words[-1] == "trust" and words[0] != "local" and not is_local:
            yield f"patroni.pg_hba asks for no password: {line}"


def _instance(**settings: object) -> Props:
    return {
        "name": "features",
        "settings": {
            "backupConfiguration": {"enabled": True, "pointInTimeRecoveryEnabled": True},
            "ipConfiguration": {"ipv4Enabled": False, "sslMode": "ENCRYPTED_ONLY"},
            **settings,
        },
    }


@mandatory(
    SQL,
    layer="serving",
    severity="high",
    why="A database with a public address, without TLS or without backups is lost sooner or later.",
    fix="give the instance a private address, ssl_mode ENCRYPTED_ONLY and backups",
    references=(google("Cloud SQL best practices", "sql/docs/postgres/best-practices"),),
    passing=_instance(),
    failing=_instance(ipConfiguration={"ipv4Enabled": True}),
)
def cloud_sql_is_private_and_backed_up(instance: Props) -> Iterator[str]:
    """An instance of Cloud SQL has no public address, takes TLS alone and is backed up."""
    settings = block(instance, "settings")
    address = block(settings, "ipConfiguration")
    if flag(address, "ipv4Enabled", default=True):
        yield "settings.ipConfiguration.ipv4Enabled is not false: it has a public address"
    if text(address, "sslMode") in {"", "ALLOW_UNENCRYPTED_AND_ENCRYPTED"} and not flag(
        address, "requireSsl"
    ):
        yield "settings.ipConfiguration.sslMode takes connections without TLS"
    if not flag(settings, "backupConfiguration", "enabled"):
        yield "settings.backupConfiguration.enabled is not true"
