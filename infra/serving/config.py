"""What a stack file says about the serving layer (namespace `gke-serving`)."""

from typing import Annotated

from msgspec import Meta, field

from gkeplatform.buckets import BucketArgs
from gkeplatform.catalog_files import FOLDER_PATTERN
from gkeplatform.config import Settings, suggestion
from infra.serving import claims
from infra.serving import postgres as databases
from infra.serving.http_routes import GatewayArgs, Ingress, IngressArgs
from infra.serving.model import HttpLoadBalancer, Model, Name, answered, canary_of
from infra.serving.postgres import Postgres
from infra.serving.quantity import amount
from infra.serving.teams import Team

BucketName = Annotated[str, Meta(pattern=r"^[a-z0-9][-a-z0-9_.]{1,61}[a-z0-9]$")]
# Above this are the classes of Kubernetes' own components.
Priority = Annotated[int, Meta(ge=-1_000_000_000, le=1_000_000_000)]


class ModelsBucket(BucketArgs):
    """The bucket that holds the models' files."""


class ServingConfig(Settings):
    """The serving layer of one environment."""

    models: Annotated[
        tuple[Model, ...], Meta(min_length=1, description="The catalogue, one entry a model.")
    ]
    catalogue: Annotated[
        Annotated[str, Meta(pattern=FOLDER_PATTERN)] | None,
        Meta(description="Folder below `stacks/` with files of further models."),
    ] = None
    namespace: Annotated[Name, Meta(description="Namespace of the model servers.")] = "models"
    teams: Annotated[
        tuple[Team, ...],
        Meta(description="Teams, each with a namespace of its own; models without one share."),
    ] = ()
    priority_classes: Annotated[
        dict[Name, Priority],
        Meta(description="Priorities that models may have, by name; the higher goes first."),
    ] = field(default_factory=dict)
    models_bucket: Annotated[ModelsBucket, Meta(description="Bucket for model files.")] = (
        ModelsBucket()
    )
    shared_buckets: Annotated[
        tuple[BucketName, ...],
        Meta(description="Buckets kept elsewhere that models are read from, too."),
    ] = ()
    postgres: Annotated[
        Postgres | None,
        Meta(description="Postgres clusters of the models' own, run by Zalando's operator."),
    ] = None
    ingress: Annotated[
        IngressArgs | None, Meta(description="What models of `kind: ingress` have in common.")
    ] = None
    gateway: Annotated[
        GatewayArgs, Meta(description="What models of `kind: gateway` have in common.")
    ] = GatewayArgs()

    def __post_init__(self) -> None:
        places: dict[str, int] = {}
        for index, model in enumerate(self.models):
            first = places.setdefault(model.name, index)
            if first != index:
                raise ValueError(
                    f'models[{index}].name: "{model.name}" is the name of models[{first}], too; '
                    "rename one"
                )
        claims.check(self.models)
        _refuse_odd_canaries(self)
        _refuse_odd_teams(self)
        databases.check(self)
        for index, model in enumerate(self.models):
            _refuse_foreign_paths(f"models[{index}]", model)
            if isinstance(model.exposure, Ingress) and self.ingress is None:
                raise ValueError(
                    f"models[{index}].exposure: an Ingress needs a controller; set "
                    "gke-serving:ingress, with controller: {} where the cluster has none, or "
                    "kind: gateway"
                )
            if model.priority is not None and model.priority not in self.priority_classes:
                raise ValueError(
                    f'models[{index}].priority: there is no priority class "{model.priority}"; '
                    f"{suggestion(model.priority, self.priority_classes)}"
                )


def running(config: ServingConfig) -> tuple[tuple[str, Model], ...]:
    """All that gets pods: every entry, and after it its second version; each with its key."""
    found: list[tuple[str, Model]] = []
    for index, model in enumerate(config.models):
        key = f"gke-serving:models[{index}]"
        found.append((key, model))
        if canary := canary_of(model):
            found.append((f"{key}.canary", canary))
    return tuple(found)


def _refuse_odd_canaries(config: ServingConfig) -> None:
    """Refuses names and node ports that a canary would share with another model."""
    ports: dict[int, str] = {}
    names = [model.name for model in config.models]
    for _, model in running(config):
        canary = canary_of(model)
        if canary and canary.name in names:
            taken = names.index(canary.name)
            raise ValueError(
                f'models[{taken}].name: "{canary.name}" is what the canary of "{model.name}" is '
                "called; rename one"
            )
    for key, model in running(config):
        port = getattr(model.exposure, "node_port", None)
        if port in ports:
            place = key.partition(":")[2]
            raise ValueError(
                f"{place}{'' if place.endswith('.canary') else '.exposure'}.node_port: {port} is "
                f'the port of "{ports[port]}", too; choose another'
            )
        if port is not None:
            ports[port] = model.name


def _refuse_foreign_paths(key: str, model: Model) -> None:
    """A path that the server does not know, and that is not rewritten to one it does, is a 404."""
    if not isinstance(model.exposure, HttpLoadBalancer):
        return
    roots = answered(model)
    for index, path in enumerate(model.exposure.paths):
        target = model.exposure.rewrites.get(path)
        reached = target or path
        if any(reached == root or reached.startswith(f"{root}/") for root in roots):
            continue
        place = f"rewrites.{path}" if target else f"paths[{index}]"
        remedy = (
            f"rewrite it to {roots[0]}"
            if target
            else f"claim {roots[0]}, or set rewrites: {{{path}: {roots[0]}}}"
        )
        raise ValueError(
            f'{key}.exposure.{place}: {model.server} answers for "{model.name}" on '
            f"{', '.join(roots)} and below, not on {reached}; {remedy}"
        )


def _refuse_odd_teams(config: ServingConfig) -> None:
    names = [team.name for team in config.teams]
    for index, name in enumerate(names):
        if name == config.namespace or name in names[:index]:
            raise ValueError(f'teams[{index}].name: "{name}" is a namespace already; rename one')
    for index, model in enumerate(config.models):
        if model.team is None:
            continue
        if model.team not in names:
            raise ValueError(
                f'models[{index}].team: there is no team "{model.team}"; '
                f"{suggestion(model.team, names)}"
            )
        most = config.teams[names.index(model.team)].container_most
        for kind in ("cpu", "memory") if most else ():
            asked, allowed = getattr(model.resources.limits, kind), getattr(most, kind)
            if amount(asked) > amount(allowed):
                raise ValueError(
                    f"models[{index}].resources.limits.{kind}: {asked} is above the "
                    f"container_most.{kind} {allowed} of team {model.team}"
                )


def namespace_of(model: Model, config: ServingConfig) -> str:
    """The namespace that a model lives in: its team's, or the one of all the others."""
    return model.team or config.namespace
