"""Chooses a drill's model, and opens what it acts on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace

import msgspec

from cli import console, routing
from cli.drills import exposures
from cli.drills.callers import Callers
from cli.drills.cluster import Cluster, Json
from cli.drills.compute import Compute
from cli.drills.control import Control
from cli.drills.drill import Drill
from cli.drills.model_servers import ModelServers
from cli.drills.scene import Scene
from cli.drills.timeline import Timeline
from cli.drills.updates import Updates
from cli.errors import CliError, Exit
from cli.traffic import addresses, asked, calls, deployed
from cli.traffic.front_ends import FrontEnds
from cli.traffic.target import Target
from infra.serving.exposures import Exposure
from infra.serving.models import Workload
from sandbox.home import Home

_NO_MOVE = "it is neither on an Ingress nor on the Gateway: only these two answer side by side"
_DEFAULTS = asked.Options(
    data=None,
    path=None,
    method=None,
    header=None,
    real=False,
    address=None,
    identity_token_file=None,
    caller=None,
)


def model(plan: routing.Plan, drill: Drill, name: str | None) -> Workload:
    """The model of a drill: the named one, or the first that it fits. Raises CliError."""
    if name is not None:
        known = plan.model(name)
        if reason := _misfit(plan, drill, known):
            raise CliError(f"{drill.name} does not fit {name}: {reason}", "", Exit.USAGE)
        return known
    entries = [one for one in plan.serving.entries if not _misfit(plan, drill, one)]
    several = [one for one in entries if one.replicas.min > 1]
    for one in (*several, *entries):
        return one
    what = " with a canary" if drill.needs_canary else ""
    what = " that scales on metrics" if drill.needs_keda else what
    what = " that is called by HTTPS" if drill.needs_https else what
    what = " on an Ingress, or on the Gateway beside one" if drill.moves else what
    raise CliError(
        f"{plan.environment} has no model{what} that a load can be sent to",
        f"`./platformctl drill {drill.name} ENVIRONMENT` of another environment",
        Exit.USAGE,
    )


def _misfit(plan: routing.Plan, drill: Drill, known: Workload) -> str | None:
    """Why a drill does not fit a model; None if it does."""
    kind = known.exposure.kind
    scales = bool(known.autoscaling and known.autoscaling.needs_keda)
    is_balanced = kind == routing.HTTP_LOAD_BALANCER
    reasons = (
        (drill.needs_canary and known.canary is None, "it has no canary in the stack file"),
        (
            drill.needs_canary and not is_balanced,
            "its weights are not in the load balancer's URL map",
        ),
        (drill.needs_keda and not scales, "it does not scale on metrics"),
        (drill.needs_https and not is_balanced, "it is not behind the load balancer"),
        (
            drill.needs_https and calls.speaks_grpc(known),
            "a gRPC channel keeps its connection, so that no other handshake is made",
        ),
        (drill.moves and kind not in exposures.OTHER, _NO_MOVE),
        (
            drill.moves and getattr(known.exposure, "is_behind_iap", False),
            "its callers sign in, and an Ingress knows no Identity-Aware Proxy",
        ),
        (drill.moves and known.canary is not None, "an Ingress cannot split requests by weight"),
        (drill.moves and known.former_exposure is not None, "it moves already"),
        (
            drill.moves and kind == "gateway" and not plan.serving.ingress,
            "gke-serving:ingress is not set, so that there is no Ingress to move to",
        ),
        (
            kind == "cluster-ip",
            "it is reached inside the cluster only, and a load would meet one pod of it",
        ),
    )
    return next((why for is_so, why in reasons if is_so), None)


@contextlib.contextmanager
def scene(
    plan: routing.Plan, drill: Drill, known: Workload, seconds: float
) -> Iterator[tuple[Scene, Target]]:
    """What is acted on, and where the load is sent. Raises CliError where nothing is rehearsed."""
    home, variables = Home.default(), deployed.sandbox_variables()
    way = asked.way(plan, known, asked.call(known, _DEFAULTS), _DEFAULTS)
    target = way.target
    if drill.needs_https:
        target = replace(target, headers={**target.headers, "Connection": "close"})
    address = deployed.read(plan.environment, variables, rehearsed=True).address

    def target_of(exposure: Json, url: str) -> Target:
        moved = replace(
            known, exposure=msgspec.convert(exposure, type=Exposure), former_exposure=None
        )
        there = deployed.Deployed(address, {known.name: url})
        front = FrontEnds(home.path, plan.project)
        found = addresses.targeted(there, moved, calls.default_call(moved), {}, front=front)
        return replace(found, authorities=plan.authorities)

    cluster = Cluster(home, plan.project, variables)
    compute = Compute(variables, plan.project)
    try:
        yield (
            Scene(
                environment=plan.environment,
                model=known.name,
                seconds=seconds,
                cluster=cluster,
                servers=ModelServers(home, cluster.key),
                compute=compute,
                control=Control(home, plan.project),
                updates=Updates(
                    environment=plan.environment,
                    variables=variables,
                    salt=home.salt,
                    folder=home.path / "drills",
                ),
                callers=Callers(target),
                target_of=target_of,
                address=address,
                backend=plan.backend(known.name, routing.HTTP_LOAD_BALANCER),
                timeline=Timeline(console.say),
            ),
            target,
        )
    finally:
        cluster.close()
        compute.close()
