"""Methods for single rules of a security policy; the priority identifies a rule."""

from __future__ import annotations

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError, invalid, not_found
from sandbox.gcp.service import Call
from sandbox.gcp.services.compute import resources, security
from sandbox.gcp.services.compute.place import Place, parse


def _policy(call: Call) -> tuple[Place, list[Json]]:
    path = call.url_path.rpartition("/")[0]
    place = parse(path)
    if place is None or not place.name:
        raise not_found(path)
    return place, list(resources.load(call.state, place).get("rules") or ())


def _index(call: Call, rules: list[Json]) -> int:
    wanted = call.one("priority", "0")
    for index, rule in enumerate(rules):
        if str(rule["priority"]) == wanted:
            return index
    raise invalid("priority", wanted, "The security policy has no rule of this priority.")


def _store(call: Call, place: Place, rules: list[Json], operation: str) -> Json:
    return resources.change(call.state, place, operation, rules=rules)


async def get(call: Call) -> Json:
    """`securityPolicies.getRule`."""
    _, rules = _policy(call)
    return rules[_index(call, rules)]


async def add(call: Call) -> Json:
    """`securityPolicies.addRule`."""
    place, rules = _policy(call)
    if "priority" not in call.body:
        raise ApiError(400, "Required field 'resource.priority' not specified", reason="required")
    security.check_rule("resource", dict(call.body))
    priority = int(call.body["priority"])
    if any(int(rule["priority"]) == priority for rule in rules):
        raise invalid("resource.priority", priority, "Another rule has this priority already.")
    return _store(call, place, [*rules, dict(call.body)], "addRule")


async def patch(call: Call) -> Json:
    """`securityPolicies.patchRule`."""
    place, rules = _policy(call)
    index = _index(call, rules)
    rules[index] = rules[index] | {k: v for k, v in call.body.items() if v is not None}
    security.check_rule("resource", rules[index])
    return _store(call, place, rules, "patchRule")


async def remove(call: Call) -> Json:
    """`securityPolicies.removeRule`."""
    place, rules = _policy(call)
    del rules[_index(call, rules)]
    return _store(call, place, rules, "removeRule")
