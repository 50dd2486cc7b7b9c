"""A model's canary: the weights of its versions in the URL map."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from cli.drills.compute import Json
from cli.drills.scene import Scene
from cli.errors import CliError, Exit

STEPS = (5, 50)
"""Percent of the requests that the canary gets, one after the other."""


def url_maps(scene: Scene) -> list[Json]:
    """The URL maps that split the model's requests by weight. Raises CliError without any."""
    listed = scene.compute.get("global/urlMaps").get("items") or ()
    found = [one for one in listed if any(_splits(one, scene.backend))]
    if not found:
        raise CliError(
            f"{scene.model} has no canary in {scene.environment}",
            "a `canary` of its entry in the stack file makes one",
            Exit.USAGE,
        )
    return found


def shift(scene: Scene, maps: list[Json]) -> None:
    """Give the canary 5 % of the requests, then 50 %."""
    for percent in STEPS:
        for one in maps:
            _put(scene, with_canary(one, scene.backend, percent))
        scene.timeline.note(f"the canary gets {percent} %")
        scene.timeline.sleep(scene.seconds)


def restore(scene: Scene, maps: list[Json]) -> None:
    """Give the versions their former weights."""
    for one in maps:
        _put(scene, one)
    scene.timeline.note("the weights are as before")


def with_canary(url_map: Json, backend: str, percent: int) -> Json:
    """The URL map with another share for the canary of the model whose backend service it is."""
    changed = copy.deepcopy(url_map)
    for services in _splits(changed, backend):
        for one in services:
            is_stable = _name(one) == backend
            one["weight"] = 100 - percent if is_stable else percent
    return changed


def _splits(part: Any, backend: str) -> Iterator[list[Json]]:
    """The lists of two weighted services, wherever in the URL map, of which one is the model's."""
    if isinstance(part, dict):
        services = part.get("weightedBackendServices")
        if services and len(services) == 2 and backend in {_name(one) for one in services}:
            yield services
        for value in part.values():
            yield from _splits(value, backend)
    elif isinstance(part, list):
        for value in part:
            yield from _splits(value, backend)


def _name(weighted: Json) -> str:
    return str(weighted["backendService"]).rpartition("/")[2]


def _put(scene: Scene, url_map: Json) -> None:
    path = f"global/urlMaps/{url_map['name']}"
    fingerprint = scene.compute.get(path)["fingerprint"]
    scene.compute.change("PUT", path, {**url_map, "fingerprint": fingerprint})
