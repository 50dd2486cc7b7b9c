"""The pack's settings of one environment, from its stack file: its rules' levels and parameters.

    config:
      gke-policies:levels:
        images-name-a-version: advisory
        containers-have-probes: disabled
      gke-policies:parameters:
        machine-types-are-allowed: {families: [n2, g2]}

A setting that cannot be understood stops the pack: it never judges less than it was told to.
"""

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, field

from gkeplatform import stack_values
from gkeplatform.config import Settings, load, suggestion
from gkeplatform.environment import environment_of, file_of
from gkeplatform.errors import PlatformError
from gkeplatform.explanation import explain
from policies.rule import Level, Rule

NAMESPACE = "gke-policies"
REFERENCE = "docs/reference/policies.md"


class PolicySettings(Settings):
    """Keys of the namespace `gke-policies`."""

    levels: Annotated[
        dict[str, Any],
        Meta(description="The level of a rule here: advisory, mandatory, remediate or disabled."),
    ] = field(default_factory=dict)
    parameters: Annotated[
        dict[str, Any], Meta(description="What a rule is to go by here, by its id.")
    ] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Chosen:
    """What an environment has chosen for some of the rules."""

    levels: Mapping[str, Level] = dataclass_field(default_factory=dict)
    parameters: Mapping[str, Settings] = dataclass_field(default_factory=dict)


def of_stack(stack: str, config: Mapping[str, str], *, rules: Mapping[str, Rule]) -> Chosen:
    """What a stack's configuration sets, from the values as the engine gives them."""
    file = file_of(environment_of(stack))
    settings = load(PolicySettings, namespace=NAMESPACE, values=config, file=file)
    levels: dict[str, Level] = {}
    for rule, level in settings.levels.items():
        where = f"{file}: {NAMESPACE}:levels.{rule}"
        _known(where, rule, rules)
        if level not in set(Level):
            shown = json.dumps(level)
            raise PlatformError(f"{where}: {shown} is not a level; {suggestion(shown, Level)}")
        levels[rule] = Level(level)
        if levels[rule] is Level.REMEDIATE and rules[rule].repair is None:
            raise PlatformError(
                f"{where}: the rule cannot repair anything; choose advisory, mandatory or disabled"
            )
    parameters: dict[str, Settings] = {}
    for rule, given in settings.parameters.items():
        where = f"{file}: {NAMESPACE}:parameters.{rule}"
        _known(where, rule, rules)
        model = rules[rule].parameters
        if model is None:
            raise PlatformError(f"{where}: the rule has no parameters; remove the entry")
        parameters[rule] = _converted(file, rule, given, model)
    return Chosen(levels, parameters)


def _converted(file: str, rule: str, given: Any, model: type[Settings]) -> Settings:
    try:
        return msgspec.convert(given, model)
    except msgspec.ValidationError as error:
        within = {rule: given}
        namespace = f"{NAMESPACE}:parameters.{rule}"
        if isinstance(given, dict):
            message = explain(str(error), model, given, namespace=namespace, hidden=set())
            message = message.replace(f"{namespace}:", f"{namespace}.", 1)
        else:
            message = f"{namespace}: expected a mapping, got {json.dumps(within[rule])}"
        raise PlatformError(f"{file}: {message}") from None


def _known(where: str, rule: str, rules: Mapping[str, Rule]) -> None:
    if rule not in rules:
        raise PlatformError(f"{where}: no such rule; {_nearest(rule, rules)}")


def of_environment(environment: str, *, root: Path, rules: Mapping[str, Rule]) -> Chosen:
    """What an environment's stack file sets; for judging without the engine."""
    values = stack_values.read(environment, root=root)
    return of_stack(environment, values, rules=rules)


def _nearest(rule: str, rules: Mapping[str, Rule]) -> str:
    near = difflib.get_close_matches(rule, sorted(rules), n=1)
    meant = f'did you mean "{near[0]}"? ' if near else ""
    return f"{meant}every rule is described in {REFERENCE}"
