"""A namespace of models and what runs in it: the shared one, and one for each team."""

from collections.abc import Sequence
from dataclasses import dataclass

from infra.serving.models.workload import Workload
from infra.serving.postgres.clusters import Cluster
from infra.serving.tenancy.teams import Team


@dataclass(frozen=True, slots=True)
class Group:
    """A model on several hosts, as its network policy needs it."""

    name: str
    port: str
    """Name of the port that callers use."""
    is_guarded: bool = False
    """Whether callers use it by a gateway that asks for keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """One namespace of models."""

    namespace: str
    team: Team | None
    """None: the namespace that models without a team share."""
    has_models: bool
    has_open_models: bool
    """Whether callers reach some models' REST API by an address or node port of their own."""
    has_open_grpc_models: bool
    """The same for the gRPC API."""
    has_imports: bool = False
    """Whether models or adapters are imported from Hugging Face."""
    has_plain_models: bool = True
    """Whether some models run on one host each and have no gateway that asks callers for keys."""
    limits_namespace: str | None = None
    """Where the rate limit service of its gateways runs; None: it has no gateways."""
    has_guarded_models: bool = False
    """Whether some models run on one host each and have such a gateway."""
    has_asked_pickers: bool = False
    """Whether such gateways ask endpoint pickers."""
    groups: tuple[Group, ...] = ()
    """Its models on several hosts."""
    postgres_namespaces: tuple[str, ...]
    """Where the Postgres clusters of its models run; empty if it has none."""


def tenants(
    namespace: str,
    teams: Sequence[Team],
    workloads: Sequence[Workload],
    clusters: Sequence[Cluster],
) -> tuple[Tenant, ...]:
    """The shared namespace, then those of the teams."""
    owners: dict[str, Team | None] = {namespace: None} | {team.name: team for team in teams}
    return tuple(
        Tenant(
            namespace=name,
            team=team,
            has_models=any(one.namespace == name for one in workloads),
            has_open_models=any(
                one.exposure.is_open and one.exposure.protocol != "grpc"
                for one in workloads
                if one.namespace == name
            ),
            has_open_grpc_models=any(
                one.exposure.is_open and one.exposure.protocol == "grpc"
                for one in workloads
                if one.namespace == name
            ),
            has_imports=any(one.namespace == name and one.imports for one in workloads),
            has_plain_models=any(
                one.namespace == name and not (one.callers or one.is_group) for one in workloads
            ),
            limits_namespace=namespace
            if any(one.namespace == name and one.callers for one in workloads)
            else None,
            has_guarded_models=any(
                one.namespace == name and one.callers and not one.is_group for one in workloads
            ),
            has_asked_pickers=any(
                one.namespace == name and one.callers and one.exposure.needs_inference_gateway
                for one in workloads
            ),
            groups=tuple(
                Group(one.name, one.port_name, bool(one.callers))
                for one in workloads
                if one.namespace == name and one.is_group
            ),
            postgres_namespaces=tuple(
                sorted({one.namespace for one in clusters if one.models_namespace == name})
            ),
        )
        for name, team in owners.items()
    )
