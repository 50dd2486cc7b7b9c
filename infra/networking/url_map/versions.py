"""The versions of the routed models: each model, and its canary where it has one."""

from collections.abc import Iterable

from msgspec.structs import replace

from gkeplatform.contracts import Route, ServedModel


def versions(models: Iterable[ServedModel]) -> tuple[ServedModel, ...]:
    """Everything that needs a backend service, with a canary as a model of its own."""
    found = []
    for model in models:
        if model.route is None:
            continue
        found.append(model)
        if canary := model.route.canary:
            route = replace(model.route, backend=canary.backend, canary=None)
            found.append(replace(model, name=canary.name, route=route))
    return tuple(found)


def shares(name: str, route: Route) -> tuple[tuple[str, int], ...]:
    """The percentage of a model's requests that each of its versions gets."""
    canary = route.canary
    if canary is None:
        return ((name, 100),)
    return ((name, 100 - canary.weight), (canary.name, canary.weight))
