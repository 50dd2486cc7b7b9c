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
    place, _ = _policy(call)
    raise invalid("priority", wanted, f"{place.name} does not contain a rule at priority {wanted}.")


def _store(call: Call, place: Place, rules: list[Json], operation: str) -> Json:
    return resources.change(call.state, place, operation, rules=rules)


async def get(call: Call) -> Json:
    """`securityPolicies.getRule`."""
    _, rules = _policy(call)
    return rules[_index(call, rules)]


async def add(call: Call) -> Json:
    """`securityPolicies.addRule`."""
    place, rules = _policy(call)
    # 0 is a priority, and the one that the API takes where none is given.
    rule = {"priority": 0} | {k: v for k, v in call.body.items() if v is not None}
    security.check_rule("resource", rule)
    if any(int(other["priority"]) == int(rule["priority"]) for other in rules):
        raise invalid(
            "resource.priority", rule["priority"], "Another rule has this priority already."
        )
    return _store(call, place, [*rules, rule], "addRule")


async def patch(call: Call) -> Json:
    """`securityPolicies.patchRule`; a mask chooses the fields, and clears those not given."""
    place, rules = _policy(call)
    index = _index(call, rules)
    old = kept = rules[index]
    given = {k: v for k, v in call.body.items() if v is not None}
    if mask := resources.masked(call):
        given = {k: v for k, v in given.items() if k in mask}
        kept = {k: v for k, v in old.items() if k not in mask}
    rules[index] = kept | given
    security.check_rule("resource", rules[index])
    security.check_change("resource", old, rules[index])
    return _store(call, place, rules, "patchRule")


async def remove(call: Call) -> Json:
    """`securityPolicies.removeRule`."""
    place, rules = _policy(call)
    index = _index(call, rules)
    if int(rules[index]["priority"]) == security.DEFAULT_PRIORITY:
        raise ApiError(400, "The default rule of a security policy cannot be removed.")
    del rules[index]
    return _store(call, place, rules, "removeRule")
