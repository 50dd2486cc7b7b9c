"""`platformctl rehearse`: deploys an environment in the sandbox."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cli import arguments, calls, console, deployment, environments, layers
from cli.commands.sandbox import running_environment
from cli.engine import Result
from cli.errors import CliError
from cli.guards import guard
from cli.guards.run import Command, alone
from gkeplatform import stack_values
from gkeplatform.environment import Environment
from gkeplatform.errors import PlatformError
from gkeplatform.layers import CLUSTER, SERVING, Layer
from gkeplatform.naming import Naming
from sandbox import engine, front_ends, lifecycle
from sandbox.expected_cluster import ExpectedCluster, expected
from sandbox.home import Home

if TYPE_CHECKING:
    from infra.stack_file import StackFile

LOOK_AROUND = """
  look around    eval "$(./platformctl sandbox env)"
                 kubectl get deployments,hpa,pdb,services -A
                 cd infra/cluster && pulumi stack -s {environment}
  stop           ./platformctl sandbox stop      (reset also deletes its state)
  for real       docs/guides/real-account.md"""


def rehearse(  # noqa: PLR0913 (a command has its options)
    environment: arguments.Environment,
    only: arguments.Named = None,
    *,
    layer: arguments.Layers = None,
    start: arguments.From = None,
    list_: arguments.List = False,  # noqa: ARG001 (its callback prints and exits)
    plugins: arguments.Plugins = None,
    refresh: arguments.Refresh = False,
    allow_replace: arguments.AllowReplace = None,
    json: arguments.Json = False,
    events: arguments.Events = False,
) -> None:
    """Deploy an environment in the sandbox: no cloud account, the same programs.

    A layer reads what the layers that it needs have published, so these must be deployed.
    """
    environments.deployable(environment)
    chosen = layers.selected([*(only or ()), *(layer or ())], start)
    variables = running_environment(dict(os.environ), plugins)
    given = allow_replace or ()
    command = Command(
        "rehearse",
        environment,
        [*(only or ()), *(layer or ())],
        [word for name in given for word in ("--allow-replace", name)],
    )
    done: dict[str, Result] = {}
    with contextlib.ExitStack() as opened:
        opened.enter_context(alone(command, chosen, done, variables))
        # The engine refuses each loss when its turn comes; nothing real is at stake before.
        document = deployment.up(
            environment,
            variables,
            interactive=False,
            preview=False,
            layers=chosen,
            refresh=refresh,
            allowed=guard.permitted(environment, variables, chosen, given),
            done=done,
            # To read the stack file, the layers' modules are imported, which takes a moment.
            meanwhile=partial(_prepare, environment, chosen, opened),
        )
    requests = _requests()
    if json or events:
        console.document(document | {"requests": calls.document(requests)})
        return
    print("\n" + deployment.summary(document) + calls.text(document["models"], requests), end="")
    print(LOOK_AROUND.format(environment=environment))


def _prepare(environment: str, chosen: Sequence[Layer], opened: contextlib.ExitStack) -> None:
    """Have the tools that the layers need, and boot the cluster until `opened` closes."""
    if SERVING in chosen:
        try:
            for operator in _operators(environment):
                operator(console.say)
        except engine.EngineError as error:
            raise CliError(str(error), error.hint) from error
    cluster = _cluster(environment) if CLUSTER in chosen else None
    opened.enter_context(expected(Home.default(), cluster))


def _requests() -> front_ends.Requests:
    try:
        return front_ends.requests(lifecycle.Home.default(), say=console.say)
    except lifecycle.SandboxError as error:
        raise CliError(str(error), error.hint) from error


def _operators(environment: str) -> list[Callable[[engine.Progress], Path]]:
    """What the sandbox will run for the models of the environment, beside the control plane."""
    whole = _stack_file(environment)
    if whole is None or whole.serving is None:
        return []
    has_metrics = any(one.preset.metrics for one in whole.serving.workloads)
    has_pickers = any(one.exposure.needs_inference_gateway for one in whole.serving.entries)
    needed = (
        (has_metrics, engine.prometheus),
        (whole.serving.needs_keda, engine.keda),
        (whole.serving.postgres, engine.postgres_operator),
        (has_pickers, engine.inference_gateway),
        (whole.serving.needs_groups, engine.leader_worker_sets),
    )
    return [operator for is_needed, operator in needed if is_needed]


def _cluster(environment: str) -> ExpectedCluster | None:
    """The cluster that the cluster layer will create, where the sandbox has none yet."""
    whole = _stack_file(environment)
    if whole is None or not (whole.google and whole.shared and whole.cluster):
        return None
    project, region = whole.google.project, whole.google.region
    named = Environment(
        name=environment, project=project, region=region, system=whole.shared.system
    )
    try:
        name = Naming(named).cluster
    except PlatformError:
        return None  # the deployment reports it
    return ExpectedCluster(
        project=project,
        location=whole.cluster.pools(region).location,
        name=name,
        service_cidr=whole.cluster.network.services_cidr,
    )


def _stack_file(environment: str) -> StackFile | None:
    """The environment's keys; None where they are wrong: the deployment says why."""
    from infra import stack_file  # noqa: PLC0415 (only a rehearsal needs it)

    values = stack_values.read(environment, root=environments.ROOT)
    try:
        return stack_file.read(values, file=environment)
    except PlatformError:
        return None
