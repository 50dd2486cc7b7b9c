"""The pack's settings of one environment, from its stack file: which level a rule has there.

    config:
      gke-policies:levels:
        images-name-a-version: advisory
        containers-have-probes: disabled

A setting that cannot be understood stops the pack: it never judges less than it was told to.
"""

import difflib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, field

from gkeplatform.config import Settings, load, suggestion
from gkeplatform.environment import environment_of, file_of
from gkeplatform.errors import PlatformError
from policies.rule import Level

NAMESPACE = "gke-policies"
REFERENCE = "docs/reference/policies.md"


class PolicySettings(Settings):
    """Keys of the namespace `gke-policies`."""

    levels: Annotated[dict[str, Any], Meta(description="The level of a rule here, by its id.")] = (
        field(default_factory=dict)
    )


def of_stack(stack: str, config: Mapping[str, str], *, rules: Iterable[str]) -> Mapping[str, Level]:
    """The levels that a stack's configuration sets, from the values as the engine gives them."""
    file = file_of(environment_of(stack))
    settings = load(PolicySettings, namespace=NAMESPACE, values=config, file=file)
    known = set(rules)
    levels: dict[str, Level] = {}
    for rule, level in settings.levels.items():
        where = f"{file}: {NAMESPACE}:levels.{rule}"
        if rule not in known:
            raise PlatformError(f"{where}: no such rule; {_nearest(rule, known)}")
        if level not in set(Level):
            shown = json.dumps(level)
            raise PlatformError(f"{where}: {shown} is not a level; {suggestion(shown, Level)}")
        levels[rule] = Level(level)
    return levels


def of_environment(environment: str, *, root: Path, rules: Iterable[str]) -> Mapping[str, Level]:
    """The levels that an environment's stack file sets; for judging without the engine."""
    import yaml  # noqa: PLC0415 (the engine reads the file itself)

    file = root / file_of(environment)
    try:
        config = (yaml.safe_load(file.read_text()) or {}).get("config") or {}
    except (OSError, yaml.YAMLError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise PlatformError(f"{file}: cannot be read as a stack file: {reason}") from None
    values = {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in config.items()
        if str(key).startswith(f"{NAMESPACE}:")
    }
    return of_stack(environment, values, rules=rules)


def _nearest(rule: str, known: set[str]) -> str:
    near = difflib.get_close_matches(rule, sorted(known), n=1)
    meant = f'did you mean "{near[0]}"? ' if near else ""
    return f"{meant}every rule is described in {REFERENCE}"
