"""Resources that no program would declare, made from those that ours do. Not a test.

The values are in the engine's wire form, where unknown values and secrets are marked, so that what
is made here passes through all that a real resource passes through.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from functools import cache
from itertools import product
from typing import Any

from declared import ROOT
from gkeplatform.environment import environments
from gkeplatform.layers import LAYERS
from policies.registry import RULES
from policies.values import Secret, Unknown
from tests.inventory.golden_files import load

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"
OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
Way = tuple[str | int, ...]

TEXTS = [
    *("", " ", "\x00", "\n", "%s{}{0}$(x)", "::error::", "🦜" * 40, "e\u0301\u200b", "\u202e"),
    *("\ufeff", "a" * 10_000, "*", "[", "(?", "../..", "-1", "1e999", "NaN", "0x10", "\uff11"),
    *("null", "true", "10Gi", "10.0.0.0/99", "::1/129", "1m", "-5", "projects//", "@:@", ":latest"),
]
NUMBERS = [0, -1, 0.1, -0.0, 2**31, 2**63, -(2**63), 1e308, 5e-324]
NUMBERS += [float("inf"), float("-inf"), float("nan")]


@cache
def seeds() -> list[tuple[str, str, Any]]:
    """(type, name, properties) of every resource of the inventories and of the rules' examples."""
    found: list[tuple[str, str, Any]] = []
    for environment, layer in product(environments(ROOT), LAYERS):
        for kind, named in load(environment, layer.name).items():
            found += [(kind, name, props) for name, props in named.items()]
    for rule in RULES:
        for resource in rule.examples("failing") + rule.examples("passing"):
            found.append((resource.type, resource.name, wire(resource.props)))
    return found


def wire(value: Any) -> Any:
    """A rule's view of a value, marked as the engine marks it."""
    if type(value) is Unknown:
        return UNKNOWN
    if isinstance(value, Secret):
        return {SIGNATURE: SECRET, "value": str.__str__(value)}
    if isinstance(value, dict):
        return {key: wire(dict.__getitem__(value, key)) for key in dict.keys(value)}
    if isinstance(value, list):
        return [wire(item) for item in list.__iter__(value)]
    return value


def ways(value: Any, here: Way = ()) -> Iterator[Way]:
    """The way to every value below, and to the value itself."""
    yield here
    entries: Any = ()
    if isinstance(value, dict):
        entries = value.items()
    elif isinstance(value, list):
        entries = enumerate(value)
    for step, entry in entries:
        yield from ways(entry, (*here, step))


def found(value: Any, way: Way) -> Any:
    """The value at the end of a way."""
    for step in way:
        value = value[step]
    return value


def replaced(value: Any, way: Way, new: Any) -> Any:
    """A copy with another value at the end of a way."""
    if not way:
        return new
    result = copy.copy(value)
    result[way[0]] = replaced(value[way[0]], way[1:], new)
    return result


def _retyped(chance: random.Random, value: Any) -> Any:
    others: list[Any] = ["text", 7, True, [], {}, ["text"], {"key": "text"}, [[]], [{}], [None]]
    if isinstance(value, str):
        others += [list(value[:5]), {value: value}, len(value)]
    elif isinstance(value, dict):
        others += [list(value), list(value.values()), json.dumps(value, default=str)]
    elif isinstance(value, list):
        others += [{str(i): item for i, item in enumerate(value)}, str(len(value))]
    else:
        others += [str(value), [value], {"value": value}]
    return chance.choice(others)


def _nested(chance: random.Random, value: Any) -> Any:
    for _ in range(chance.choice((1, 1, 2, 20))):
        value = chance.choice(({"value": value}, [value], {"spec": value}, [value, value]))
        if isinstance(value, list) and len(value) > 1:
            break  # or it doubles each time
    return value


def _renamed(chance: random.Random, value: Any) -> Any:
    if not isinstance(value, dict) or not value:
        return None
    old = chance.choice(sorted(value, key=str))
    new = chance.choice([*TEXTS[:9], "__class__", old.upper(), SIGNATURE, "value", "name"])
    return {(new if key == old else key): entry for key, entry in value.items()}


def _marked(chance: random.Random, value: Any) -> Any:
    return chance.choice(
        (
            {SIGNATURE: SECRET, "value": value},
            {SIGNATURE: SECRET},
            {SIGNATURE: OUTPUT, "value": value, "secret": True, "dependencies": []},
            {SIGNATURE: OUTPUT, "secret": "maybe"},
            {SIGNATURE: OUTPUT, "value": value, "dependencies": None},
            {SIGNATURE: "c44067f5952c0a294b673a41bacd8c17", "text": value},
            {SIGNATURE: None, "value": value},
            {SIGNATURE: {"deep": value}},
        )
    )


CHANGES: list[Callable[[random.Random, Any], Any]] = [
    _retyped,
    _retyped,
    _nested,
    _renamed,
    _marked,
    lambda chance, value: None,
    lambda chance, value: UNKNOWN,
    lambda chance, value: chance.choice(TEXTS),
    lambda chance, value: chance.choice(NUMBERS),
    lambda chance, value: value * 2 if isinstance(value, list) else [],
]


def mutated(chance: random.Random, props: Any) -> Any:
    """A copy with one to four odd changes."""
    for _ in range(chance.choice((1, 1, 2, 4))):
        way = chance.choice(list(ways(props))[1:] or [()])
        if not way:
            return {"odd": chance.choice(TEXTS)}
        if chance.random() < 0.15:
            holder = copy.copy(found(props, way[:-1]))
            del holder[way[-1]]
            props = replaced(props, way[:-1], holder)
        else:
            props = replaced(props, way, chance.choice(CHANGES)(chance, found(props, way)))
    return props


def resource(chance: random.Random) -> tuple[str, str, Any]:
    """An odd resource: its type, its name and its properties."""
    kind, name, props = chance.choice(seeds())
    return kind, name, mutated(chance, props)
