"""Rules about Postgres: Zalando's `postgresql` objects and Cloud SQL instances."""

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
"""Oldest supported major version; its support ends in November 2026."""


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
    why="With one instance, the database is down while its node is drained or has crashed.",
    fix="run two or more instances (gke-serving:postgres.clusters[].instances)",
    references=(_MANIFEST,),
    passing=_cluster(),
    failing=_cluster(numberOfInstances=1),
)
def postgres_has_a_standby(cluster: Props) -> Iterator[str]:
    """A Postgres cluster has two or more instances."""
    instances = number(cluster, "spec", "numberOfInstances")
    if instances is None or (0 < instances < 2):
        yield f"numberOfInstances is {'not set' if instances is None else f'{instances:.0f}'}"


@mandatory(
    POSTGRES,
    layer="serving",
    severity="high",
    why="A standby replicates mistakes, too; only a backup can restore an earlier state.",
    fix="enable backups (gke-serving:postgres.clusters[].backups)",
    references=(_MANIFEST,),
    passing=_cluster(env=[{"name": "WAL_GS_BUCKET", "value": "acme-backups"}]),
    failing=_cluster(),
)
def postgres_is_backed_up(cluster: Props) -> Iterator[str]:
    """A Postgres cluster archives its WAL or has logical backups."""
    spec = block(cluster, "spec")
    # A variable without a value unsets the bucket of the operator's configuration.
    given = (one for one in entries(spec, "env") if text(one, "value") or one.get("valueFrom"))
    names = {text(variable, "name") for variable in given}
    archives = {"WAL_GS_BUCKET", "WALG_GS_PREFIX", "WAL_S3_BUCKET", "WALE_GS_PREFIX"}
    if not names & archives and not flag(spec, "enableLogicalBackup"):
        yield "env has no bucket for the WAL, and enableLogicalBackup is not true"


@mandatory(
    POSTGRES,
    layer="serving",
    severity="high",
    why="An SQL injection with superuser rights can read files and run programs on the server.",
    fix="give the application's user no flags, and ownership of its database "
    "(gke-serving:postgres.clusters[].users)",
    references=(_MANIFEST,),
    passing=_cluster(),
    failing=_cluster(users={"features": ["superuser"]}),
)
def postgres_users_are_no_superusers(cluster: Props) -> Iterator[str]:
    """No user of a Postgres cluster has the flags superuser or createrole."""
    users = block(cluster, "spec", "users")
    for name in users:
        strong = {"superuser", "createrole"} & {one.lower() for one in texts(users, name)}
        if strong:
            yield f"user {name} has {', '.join(sorted(strong))}"


@mandatory(
    POSTGRES,
    layer="serving",
    severity="medium",
    why="An unsupported version gets no security fixes.",
    fix="use a supported version (gke-serving:postgres.clusters[].version)",
    references=(
        Reference(
            "PostgreSQL", "Versioning policy", "https://www.postgresql.org/support/versioning/"
        ),
    ),
    passing=_cluster(),
    failing=_cluster(postgresql={"version": "11"}),
)
def postgres_is_supported(cluster: Props) -> Iterator[str]:
    """A Postgres cluster runs a supported version."""
    version = number(cluster, "spec", "postgresql", "version")
    if version is None:
        yield "postgresql.version is not set"
    elif version < _OLDEST:
        yield f"postgresql.version {version:.0f} is older than {_OLDEST}"


@mandatory(
    POSTGRES,
    layer="serving",
    severity="medium",
    why="Without a size the database has no volume; without requests it has no guaranteed CPU or "
    "memory.",
    fix="set gke-serving:postgres.clusters[].volume.size and "
    "gke-serving:postgres.clusters[].resources.requests",
    references=(_MANIFEST,),
    passing=_cluster(resources={"requests": {"cpu": "500m", "memory": "1Gi"}}),
    failing=_cluster(volume={}),
)
def postgres_states_its_size(cluster: Props) -> Iterator[str]:
    """A Postgres cluster sets its volume size and resource requests."""
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
    why="A load balancer exposes the database outside the cluster; without TLS, passwords can be "
    "read on the network.",
    fix="keep the load balancers off and use hostssl in pg_hba",
    references=(_MANIFEST,),
    passing=_cluster(patroni={"pg_hba": ["hostssl all all all scram-sha-256"]}),
    failing=_cluster(enableMasterLoadBalancer=True),
)
def postgres_is_private_and_encrypted(cluster: Props) -> Iterator[str]:
    """A Postgres cluster is reachable inside the cluster only, over TLS."""
    spec = block(cluster, "spec")
    for key in ("enableMasterLoadBalancer", "enableReplicaLoadBalancer"):
        if flag(spec, key):
            yield f"{key} is true"
    for line in texts(spec, "patroni", "pg_hba"):
        words = line.split()
        is_local = len(words) > 3 and words[3] in {"127.0.0.1/32", "::1/128", "samehost"}
        if words and words[0] in {"host", "hostnossl"} and not is_local:
            yield f"patroni.pg_hba allows connections without TLS: {line}"
        if words and words[-1] == "trust" and words[0] != "local" and not is_local:
            yield f"patroni.pg_hba requires no password: {line}"


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
    why="A public address, unencrypted connections or missing backups put the data at risk.",
    fix="set a private address, ssl_mode ENCRYPTED_ONLY and backups",
    references=(google("Cloud SQL best practices", "sql/docs/postgres/best-practices"),),
    passing=_instance(),
    failing=_instance(ipConfiguration={"ipv4Enabled": True}),
)
def cloud_sql_is_private_and_backed_up(instance: Props) -> Iterator[str]:
    """A Cloud SQL instance has no public address, requires TLS and has backups."""
    settings = block(instance, "settings")
    address = block(settings, "ipConfiguration")
    if flag(address, "ipv4Enabled", default=True):
        yield "settings.ipConfiguration.ipv4Enabled is not false: it has a public address"
    if text(address, "sslMode") in {"", "ALLOW_UNENCRYPTED_AND_ENCRYPTED"} and not flag(
        address, "requireSsl"
    ):
        yield "settings.ipConfiguration.sslMode allows connections without TLS"
    if not flag(settings, "backupConfiguration", "enabled"):
        yield "settings.backupConfiguration.enabled is not true"
