"""Refuses an update that would lose what its environment protects, before anything is touched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from cli import console
from cli.engine import Engine
from cli.errors import CliError, Exit
from cli.guards import losses
from cli.guards.losses import Loss
from cli.release import protects, released
from gkeplatform.layers import Layer


def check_update(
    environment: str,
    variables: Mapping[str, str],
    layers: Sequence[Layer],
    given: Sequence[str],
    command: Sequence[str],
) -> frozenset[str]:
    """What may be lost: `given`, the names of `--allow-replace`, by kind and name.

    Plans each layer that holds something to lose, where the environment has `platform:protect`.
    Raises CliError for what may not be lost, and for an unknown name.
    """
    if not (given or protects(environment)):
        return frozenset()
    engine = _silent(variables)
    states = {layer: engine.exported(layer, environment) for layer in layers}
    may_go = losses.allowed(given, losses.names(states.values()))
    if protects(environment):
        console.say("looks for what would be lost")
        found: list[Loss] = []
        for layer, state in states.items():
            if any(losses.guarded(state)):
                found += _planned(engine, layer, environment, state)
        _refuse(environment, found, may_go, command)
    return may_go


def permitted(
    environment: str, variables: Mapping[str, str], layers: Sequence[Layer], given: Sequence[str]
) -> frozenset[str]:
    """The names of `--allow-replace` by kind and name. Raises CliError for an unknown one."""
    if not given:
        return frozenset()
    engine = _silent(variables)
    return losses.allowed(given, losses.names(engine.exported(one, environment) for one in layers))


def check_removal(
    environment: str,
    variables: Mapping[str, str],
    layers: Sequence[Layer],
    given: Sequence[str],
    command: Sequence[str],
) -> frozenset[str]:
    """As `check_update`, where all that the layers hold is deleted."""
    if not (given or protects(environment)):
        return frozenset()
    engine = _silent(variables)
    states = {layer: engine.exported(layer, environment) for layer in layers}
    may_go = losses.allowed(given, losses.names(states.values()))
    if protects(environment):
        found = [one for layer, state in states.items() for one in losses.of_state(layer, state)]
        _refuse(environment, found, may_go, command)
    return may_go


def _planned(
    engine: Engine, layer: Layer, environment: str, state: Mapping[str, object]
) -> Iterator[Loss]:
    try:
        run = engine.steps_of_update(layer, environment)
    except CliError as error:
        if error.code in (Exit.USAGE, Exit.LOCKED):
            raise
        # Some failures are a matter of the layers' order, and the deployment knows the way round.
        console.say(f"warning: cannot be planned yet: {error}", layer.name)
        return
    yield from losses.of_steps(layer, run.steps)
    if run.errors:
        # The engine stops at the first deletion that it refuses, and tells of no further one.
        yield from losses.of_state(layer, state, {step.urn for step in run.steps})


def _refuse(
    environment: str, found: Sequence[Loss], may_go: frozenset[str], command: Sequence[str]
) -> None:
    error = losses.refusal(environment, found, may_go | released(environment), command)
    if error:
        raise error


def _silent(variables: Mapping[str, str]) -> Engine:
    return Engine(variables, lambda *_: None)
