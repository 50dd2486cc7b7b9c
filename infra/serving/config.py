"""Settings of the serving layer (namespace `gke-serving`), and the plain values they expand to."""

from functools import cached_property
from typing import Annotated

from msgspec import Meta, field

from gkeplatform.buckets import BucketArgs
from gkeplatform.catalog_files import FOLDER_PATTERN
from gkeplatform.config import Settings, suggestion
from infra.serving.callers import checks as caller_checks
from infra.serving.callers.settings import CallersArgs
from infra.serving.exposures import GatewayArgs, IngressArgs, RouteSettings, claims
from infra.serving.exposures.inference import certificates, sharing
from infra.serving.exposures.inference.settings import InferenceGatewayArgs
from infra.serving.groups.manifests import NAMESPACE as LWS_NAMESPACE
from infra.serving.models import Model, Workload, expanded, pod_checks
from infra.serving.patterns import Name
from infra.serving.postgres import clusters as postgres_clusters
from infra.serving.postgres import validation as postgres_validation
from infra.serving.postgres.clusters import Cluster
from infra.serving.postgres.settings import Postgres
from infra.serving.quantity import amount
from infra.serving.scaling.keda_manifests import NAMESPACE as KEDA_NAMESPACE
from infra.serving.tenancy.teams import Team
from infra.serving.tenancy.tenants import Tenant, tenants


def _bucket(value: object) -> str:
    bucket = str(value).removeprefix("gs://").partition("/")[0]
    return f'"{value}" is not the name of a bucket; did you mean "{bucket.lower()}"?'


BucketName = Annotated[
    str, Meta(pattern=r"^[a-z0-9][-a-z0-9_.]{1,61}[a-z0-9]$", extra={"explain": _bucket})
]
# Higher priorities are reserved for Kubernetes' own components.
Priority = Annotated[int, Meta(ge=-1_000_000_000, le=1_000_000_000)]


class ModelsBucket(BucketArgs):
    """The bucket for model files."""


class ServingConfig(Settings, dict=True):
    """The serving layer of one environment."""

    models: Annotated[
        tuple[Model, ...], Meta(description="The catalog: one entry per model; may be empty.")
    ]
    catalogue: Annotated[
        Annotated[str, Meta(pattern=FOLDER_PATTERN)] | None,
        Meta(description="Folder below `stacks/` with files of further models."),
    ] = None
    namespace: Annotated[Name, Meta(description="Namespace of models without a team.")] = "models"
    teams: Annotated[
        tuple[Team, ...], Meta(description="Teams, each with a namespace of its own.")
    ] = ()
    priority_classes: Annotated[
        dict[Name, Priority],
        Meta(description="Priority classes for models, by name; higher values go first."),
    ] = field(default_factory=dict)
    models_bucket: Annotated[ModelsBucket, Meta(description="Bucket for model files.")] = (
        ModelsBucket()
    )
    shared_buckets: Annotated[
        tuple[BucketName, ...],
        Meta(description="Buckets managed elsewhere that models may read too."),
    ] = ()
    callers: Annotated[
        CallersArgs | None,
        Meta(description="API keys and limits of callers. Default: models are open."),
    ] = None
    postgres: Annotated[
        Postgres | None, Meta(description="Postgres clusters for models, by Zalando's operator.")
    ] = None
    ingress: Annotated[
        IngressArgs | None, Meta(description="Settings of all models with `kind: ingress`.")
    ] = None
    gateway: Annotated[
        GatewayArgs, Meta(description="Settings of all models with `kind: gateway`.")
    ] = GatewayArgs()
    inference_gateway: Annotated[
        InferenceGatewayArgs,
        Meta(description="Settings of all models with `kind: inference-gateway`."),
    ] = InferenceGatewayArgs()

    def __post_init__(self) -> None:
        _refuse_shared_names(self)
        _check_teams(self)
        postgres_validation.check(
            self.postgres,
            self.clusters,
            models=self.models,
            teams=[team.name for team in self.teams],
            namespace=self.namespace,
        )
        _check_keda(self)
        _check_groups(self)
        claims.check(self.entries)
        caller_checks.check(self.callers, self.entries)
        caller_checks.check_zero(self.entries)
        sharing.check(self.entries)
        certificates.check(self.inference_gateway, self.entries)
        for index, entry in enumerate(self.entries):
            try:
                entry.exposure.validate(entry, self.routes)
            except ValueError as error:
                raise ValueError(f"models[{index}].{error}") from None
            if entry.formerly is not None:
                _check_former(f"models[{index}]", entry.formerly, self.routes)
            if entry.priority is not None and entry.priority not in self.priority_classes:
                raise ValueError(
                    f'models[{index}].priority: there is no priority class "{entry.priority}"; '
                    f"{suggestion(entry.priority, self.priority_classes)}"
                )

    @cached_property
    def entries(self) -> tuple[Workload, ...]:
        """The catalog, expanded: one workload per entry, with its canary's in it."""
        return tuple(
            expanded(
                model,
                key=f"gke-serving:models[{index}]",
                namespace=self.namespace,
                connection=postgres_clusters.connection(model.postgres, self.clusters),
                callers=self.callers.of(model.name) if self.callers else (),
            )
            for index, model in enumerate(self.models)
        )

    @cached_property
    def routed(self) -> tuple[Workload, ...]:
        """Everything that has a route: each entry, also as it was reached before it moves."""
        return tuple(
            workload
            for entry in self.entries
            for workload in (entry, entry.formerly)
            if workload is not None
        )

    @cached_property
    def workloads(self) -> tuple[Workload, ...]:
        """Everything that gets pods: each entry, followed by its canary."""
        return tuple(
            workload
            for entry in self.entries
            for workload in (entry, entry.canary)
            if workload is not None
        )

    @cached_property
    def clusters(self) -> tuple[Cluster, ...]:
        """The Postgres clusters, expanded."""
        return postgres_clusters.expanded(self.postgres, models_namespace=self.namespace)

    @cached_property
    def tenants(self) -> tuple[Tenant, ...]:
        """The namespaces of models: the shared one, then the teams'."""
        return tenants(self.namespace, self.teams, self.workloads, self.clusters)

    @property
    def needs_keda(self) -> bool:
        """Whether a model scales on metrics other than CPU and memory."""
        return any(one.autoscaling and one.autoscaling.needs_keda for one in self.workloads)

    @property
    def needs_groups(self) -> bool:
        """Whether a model runs on several hosts."""
        return any(one.is_group for one in self.workloads)

    @property
    def routes(self) -> RouteSettings:
        """Settings of the routes inside the cluster."""
        return RouteSettings(
            ingress=self.ingress,
            gateway=self.gateway,
            inference=self.inference_gateway,
            gateway_namespace=self.namespace,
        )


def _check_former(at: str, workload: Workload, routes: RouteSettings) -> None:
    """`ValueError` if the model could not be exposed as it is said to have been."""
    try:
        workload.exposure.validate(workload, routes)
    except ValueError as error:
        problem = str(error).removeprefix("exposure").lstrip(".: ")
        raise ValueError(f"{at}.former_exposure: {problem}") from None


def _refuse_shared_names(config: ServingConfig) -> None:
    """Refuses two models of one name, and a model with the name of a canary."""
    names: dict[str, int] = {}
    for index, model in enumerate(config.models):
        first = names.setdefault(model.name, index)
        if first != index:
            raise ValueError(
                f'models[{index}].name: "{model.name}" is the name of models[{first}], too; '
                "rename one"
            )
    for model in config.models:
        canary = model.canary_version
        if canary and canary.name in names:
            raise ValueError(
                f'models[{names[canary.name]}].name: "{canary.name}" is the name of the canary of '
                f'"{model.name}"; rename one'
            )


def _check_keda(config: ServingConfig) -> None:
    """Refuses KEDA's namespace for models, if KEDA is installed."""
    used = {config.namespace, *(team.name for team in config.teams)}
    if config.needs_keda and KEDA_NAMESPACE in used:
        raise ValueError(
            f'"{KEDA_NAMESPACE}" is the namespace of KEDA, by which models scale on metrics; '
            "rename the team or namespace"
        )


def _check_groups(config: ServingConfig) -> None:
    """Refuses the controller's namespace for models, and a model with the name of a group."""
    used = {config.namespace, *(team.name for team in config.teams)}
    if config.needs_groups and LWS_NAMESPACE in used:
        raise ValueError(
            f'"{LWS_NAMESPACE}" is the namespace of LWS, by which models run on several hosts; '
            "rename the team or namespace"
        )
    for own in config.workloads:
        for other in config.workloads if own.is_group else ():
            head, _, number = other.name.rpartition("-")
            if head == own.name and number.isdigit() and other.namespace == own.namespace:
                raise ValueError(
                    f'{other.key.removeprefix("gke-serving:")}.name: "{other.name}" is the name of '
                    f'a group of "{own.name}", which runs on several hosts; rename one'
                )


def _check_teams(config: ServingConfig) -> None:
    """Refuses namespaces that are used twice, unknown teams, and limits above the team's."""
    teams: dict[str, Team] = {}
    for index, team in enumerate(config.teams):
        if team.name == config.namespace or team.name in teams:
            raise ValueError(
                f'teams[{index}].name: "{team.name}" is a namespace already; rename one'
            )
        teams[team.name] = team
    for index, model in enumerate(config.models):
        if model.team is None:
            continue
        if model.team not in teams:
            raise ValueError(
                f'models[{index}].team: there is no team "{model.team}"; '
                f"{suggestion(model.team, teams)}"
            )
        _check_limits(f"models[{index}]", model, teams[model.team])


def _check_limits(at: str, model: Model, team: Team) -> None:
    """Refuses a container, the server's or a further one, with limits above the team's."""
    for kind in ("cpu", "memory") if team.largest_limits else ():
        allowed = getattr(team.largest_limits, kind)
        own = (f"resources.limits.{kind}", getattr(model.resources.limits, kind))
        for key, limit in (own, *pod_checks.limits(model.pod, kind)):
            if limit is not None and amount(limit) > amount(allowed):
                raise ValueError(
                    f"{at}.{key}: {limit} exceeds max_container_limits.{kind} {allowed} of team "
                    f"{team.name}"
                )
