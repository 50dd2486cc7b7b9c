"""Refuses an update that would lose what its environment protects, before anything is touched."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from cli import console
from cli.engine import Engine
from cli.errors import CliError, Exit
from cli.guards import losses
from cli.guards.losses import Loss
from cli.release import protects, released
from gkeplatform.layers import Layer

Losing = Callable[[Engine, Layer, str, Mapping[str, object]], Iterable[Loss]]
"""What an update of a layer would lose, by the engine, the layer, its stack and its state."""


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
    return _checked(environment, variables, layers, given, command, _planned)


def check_removal(
    environment: str,
    variables: Mapping[str, str],
    layers: Sequence[Layer],
    given: Sequence[str],
    command: Sequence[str],
) -> frozenset[str]:
    """As `check_update`, where all that the layers hold is deleted."""
    return _checked(environment, variables, layers, given, command, _removed)


def permitted(
    environment: str, variables: Mapping[str, str], layers: Sequence[Layer], given: Sequence[str]
) -> frozenset[str]:
    """The names of `--allow-replace` by kind and name. Raises CliError for an unknown one."""
    if not given:
        return frozenset()
    engine = _silent(variables)
    return losses.allowed(given, losses.names(engine.exported(one, environment) for one in layers))


def _checked(
    environment: str,
    variables: Mapping[str, str],
    layers: Sequence[Layer],
    given: Sequence[str],
    command: Sequence[str],
    losing: Losing,
) -> frozenset[str]:
    if not (given or protects(environment)):
        return frozenset()
    engine = _silent(variables)
    states = {layer: engine.exported(layer, environment) for layer in layers}
    may_go = losses.allowed(given, losses.names(states.values()))
    if protects(environment):
        console.say("looks for what would be lost")
        found = [
            loss
            for layer, state in states.items()
            for loss in losing(engine, layer, environment, state)
        ]
        error = losses.refusal(environment, found, may_go | released(environment), command)
        if error:
            raise error
    return may_go


def _planned(
    engine: Engine, layer: Layer, environment: str, state: Mapping[str, object]
) -> Iterator[Loss]:
    if not any(losses.guarded(state)):
        return
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


def _removed(
    _engine: Engine, layer: Layer, _environment: str, state: Mapping[str, object]
) -> Iterable[Loss]:
    return losses.of_state(layer, state)


def _silent(variables: Mapping[str, str]) -> Engine:
    return Engine(variables, lambda *_: None)
