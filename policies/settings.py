"""Levels and parameters of rules, as set in an environment's stack file.

    config:
      gke-policies:levels:
        images-name-a-version: advisory
        containers-have-probes: disabled
      gke-policies:parameters:
        machines-are-of-allowed-types: {machine_types: ["n2-*", "g2-*"]}

An invalid setting stops the pack, so that no rule is skipped by mistake.
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
from policies.cluster_version import ClusterVersion
from policies.former_ids import current_id
from policies.rule import Level, Rule

NAMESPACE = "gke-policies"
REFERENCE = "docs/reference/policies.md"


class PolicySettings(Settings):
    """Keys of the namespace `gke-policies`."""

    levels: Annotated[
        dict[str, Any],
        Meta(description="Level by rule id: advisory, mandatory, remediate or disabled."),
    ] = field(default_factory=dict)
    parameters: Annotated[dict[str, Any], Meta(description="Parameters by rule id.")] = field(
        default_factory=dict
    )


@dataclass(frozen=True, slots=True)
class RuleSettings:
    """Levels and parameters that an environment sets, by rule id."""

    levels: Mapping[str, Level] = dataclass_field(default_factory=dict)
    parameters: Mapping[str, Settings] = dataclass_field(default_factory=dict)


def for_stack(stack: str, config: Mapping[str, str], *, rules: Mapping[str, Rule]) -> RuleSettings:
    """Read the settings from a stack's configuration. Raises PlatformError."""
    file = file_of(environment_of(stack))
    settings = load(PolicySettings, namespace=NAMESPACE, values=config, file=file)
    levels: dict[str, Level] = {}
    for given_id, level in settings.levels.items():
        where = f"{file}: {NAMESPACE}:levels.{given_id}"
        rule = _rule_id(where, given_id, rules, levels)
        if level not in set(Level):
            shown = json.dumps(level)
            raise PlatformError(f"{where}: {shown} is not a level; {suggestion(shown, Level)}")
        levels[rule] = Level(level)
        if levels[rule] is Level.REMEDIATE and rules[rule].repair is None:
            raise PlatformError(
                f"{where}: the rule has no repair; choose advisory, mandatory or disabled"
            )
    parameters: dict[str, Settings] = {}
    for given_id, given in settings.parameters.items():
        where = f"{file}: {NAMESPACE}:parameters.{given_id}"
        rule = _rule_id(where, given_id, rules, parameters)
        model = rules[rule].parameters
        if model is None:
            raise PlatformError(f"{where}: the rule has no parameters; remove the entry")
        parameters[rule] = _converted(file, given_id, given, model)
    return RuleSettings(levels, _with_one_version(parameters, rules))


def _with_one_version(
    parameters: Mapping[str, Settings], rules: Mapping[str, Rule]
) -> dict[str, Settings]:
    """Let rules without a cluster version of their own follow the one that is set."""
    stated = [one for one in parameters.values() if isinstance(one, ClusterVersion)]
    followers = {
        rule.id: stated[0]
        for rule in rules.values()
        if stated and rule.parameters is ClusterVersion
    }
    return {**followers, **parameters}


def _converted(file: str, rule: str, given: Any, model: type[Settings]) -> Settings:
    try:
        return msgspec.convert(given, model)
    except msgspec.ValidationError as error:
        within = {rule: given}
        namespace = f"{NAMESPACE}:parameters.{rule}"
        if isinstance(given, dict):
            message = explain(str(error), model, given, namespace=namespace, hidden=set())
            if not message.startswith(f"{namespace}: "):  # the fault is at a key within it
                message = message.replace(f"{namespace}:", f"{namespace}.", 1)
        else:
            message = f"{namespace}: expected a mapping, got {json.dumps(within[rule])}"
        raise PlatformError(f"{file}: {message}") from None


def _rule_id(
    where: str, given: str, rules: Mapping[str, Rule], present: Mapping[str, object]
) -> str:
    """Return the current id of a rule. Raises PlatformError if unknown or set twice."""
    rule = current_id(given, where)
    if rule not in rules:
        raise PlatformError(f"{where}: no such rule; {_nearest(rule, rules)}")
    if rule in present:
        raise PlatformError(f"{where}: {rule} is set under its former id as well; remove one")
    return rule


def for_environment(environment: str, *, root: Path, rules: Mapping[str, Rule]) -> RuleSettings:
    """Read the settings from an environment's stack file, without the engine."""
    values = stack_values.read(environment, root=root)
    return for_stack(environment, values, rules=rules)


def _nearest(rule: str, rules: Mapping[str, Rule]) -> str:
    near = difflib.get_close_matches(rule, sorted(rules), n=1)
    meant = f'did you mean "{near[0]}"? ' if near else ""
    return f"{meant}all rules are listed in {REFERENCE}"
