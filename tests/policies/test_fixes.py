"""A rule's remedy names keys of the stack file that there are."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from policies.registry import RULES
from policies.rule import Rule

SCHEMA: dict[str, Any] = json.loads((Path(__file__).parents[2] / "stacks/schema.json").read_text())
KEYS = SCHEMA["properties"]["config"]["properties"]
NAMED = re.compile(r"\b((?:gke-[a-z]+|platform):[a-z_]+(?:\[\])?(?:\.[a-z_]+(?:\[\])?)*)")


def kinds(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """What a schema may be: itself, what it refers to, or one of several."""
    if "$ref" in schema:
        return kinds(SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]])
    several = schema.get("anyOf", []) + schema.get("oneOf", []) + schema.get("allOf", [])
    return [schema, *(kind for one in several for kind in kinds(one))]


def below(schemas: list[dict[str, Any]], step: str) -> list[dict[str, Any]]:
    """The schemas of a key, or of the entries of a list."""
    name = step.removesuffix("[]")
    found = [kind["properties"][name] for kind in schemas if name in kind.get("properties", {})]
    known = [kind for one in found for kind in kinds(one)]
    if step.endswith("[]"):
        known = [kind for one in known if "items" in one for kind in kinds(one["items"])]
    return known


def exists(key: str) -> bool:
    """Whether `gke-cluster:node_pools[].taints` can be written in a stack file."""
    head, *path = key.split(".")
    schemas = [{"properties": KEYS}]
    for step in (head, *path):
        schemas = below(schemas, step)
        if not schemas:
            return False
    return True


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_remedy_names_keys_that_there_are(rule: Rule) -> None:
    wrong = [key for key in NAMED.findall(rule.fix) if not exists(key)]
    assert wrong == []
