"""The edits: one for each key, as the types give them, and those that the issue of users names."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from declared import STACKS
from gkeplatform import stack_values
from gkeplatform.errors import PlatformError
from infra import stack_file
from tests.edits.fields import Key, Values, keys, places, target
from tests.edits.more_values import REMOVED, With
from tests.edits.other_values import PARENTS, candidates
from tests.edits.without import WITHOUT

LAB = "lab"
"""The environment of this folder's `lab.yaml`: it has what the committed ones do not."""
ENVIRONMENTS = ("dev", "stage", LAB)
"""In this order: an edit is made in the first that has the key's place."""

_USED_IN: Mapping[str, str] = {
    "gke-cluster:node_pools[].accelerator": LAB,
    "gke-cluster:node_pools[].queued": LAB,
    "gke-cluster:node_pools[].flex_start": LAB,
    "gke-serving:gateway": "stage",
    "gke-serving:inference_gateway": "stage",
    "gke-serving:models[].compute_class": LAB,
    "gke-serving:models[].resources.gpu": LAB,
}
"""Where keys have an effect: elsewhere no model is behind a Gateway, or all GPUs are in use."""

MOST_NEW, MOST_VALUES = 2, 4
"""How many places that a file does not have, and how many values in a place, are tried."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One edit of an environment's file."""

    name: str
    environment: str
    values: Values
    """The keys below `config` after the edit."""


def committed(environment: str) -> Values:
    """The keys of the environment's file; a copy to change."""
    return copy.deepcopy(_document(environment))


@cache
def _document(environment: str) -> Values:
    own = Path(__file__).with_name("lab.yaml")
    file = own if environment == LAB else STACKS / f"Pulumi.{environment}.yaml"
    values: Values = yaml.safe_load(file.read_text(encoding="utf-8"))["config"]
    return values


def as_passed(values: Values) -> dict[str, str]:
    """The keys as the engine passes them to a program."""
    return stack_values.of_document({"config": values}, "edited")


def problem(environment: str, values: Values) -> str:
    """Why the file is refused; empty if it is not."""
    try:
        stack_file.read(as_passed(values), file=environment, tests=False)
    except PlatformError as error:
        return str(error)
    return ""


def of_key(key: Key) -> Edit | str:
    """The first edit of the key that the file's checks accept; else the last refusal."""
    said = "no environment has its place"
    used = next((one for above, one in _USED_IN.items() if str(key).startswith(above)), None)
    for environment in (used,) if used else ENVIRONMENTS:
        for values, refusal in _tries(key, environment):
            if not refusal:
                return Edit(str(key), environment, values)
            said = refusal
    return said


def _tries(key: Key, environment: str) -> Iterator[tuple[Values, str]]:
    before = committed(environment)
    found = list(places(before, key.steps, PARENTS))
    there = [place for place, is_there in found if is_there]
    new = [place for place, is_there in found if not is_there][:MOST_NEW]
    for place in (*there, *new):
        present = target(committed(environment), place, PARENTS).get(str(place[-1]))
        for value in islice(candidates(key, present), MOST_VALUES):
            values = committed(environment)
            _set(target(values, place, PARENTS), str(place[-1]), value)
            if values != before:
                yield values, problem(environment, values)


def _set(mapping: Values, name: str, value: Any) -> None:
    if isinstance(value, With):
        for one, its in {name: value.value, **value.others}.items():
            _set(mapping, one, its)
    elif value is REMOVED:
        mapping.pop(name, None)
    else:
        mapping[name] = copy.deepcopy(value)


@cache
def of_keys() -> tuple[dict[str, Edit], dict[str, str]]:
    """The edit of every key that has one, and why each other has none."""
    found: dict[str, Edit] = {}
    without: dict[str, str] = {}
    reasons = {key: reason for reason, names in WITHOUT.items() for key in names}
    for key in keys():
        result = reasons.get(str(key)) or of_key(key)
        if isinstance(result, Edit):
            found[str(key)] = result
        else:
            without[str(key)] = result
    return found, without
