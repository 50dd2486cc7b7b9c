"""Validation of one further container of a pod, as Kubernetes spells it.

`ValueError` begins with the container's key. What it may do at all, the policies judge.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from infra.serving.accelerators import GPU_RESOURCE, TPU_RESOURCE
from infra.serving.models import container_fields
from infra.serving.patterns import Image
from infra.serving.quantity import Quantity, amount, cores_problem, memory_problem

_LABEL = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_SCALARS = (str, int, float, bool)
_SERVER_KEYS = ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe")


def check(key: str, container: Mapping[str, Any], *, is_init: bool) -> None:
    """`ValueError` if Kubernetes, or the platform, would not take the container."""
    container_fields.refuse_unknown(key, container)
    for name in ("name", "image"):
        if not isinstance(container.get(name), str):
            raise ValueError(f"{key}: the key {name} is missing, or not text")
    if not re.fullmatch(_LABEL, container["name"]):
        raise ValueError(
            f'{key}.name: "{container["name"]}" is not a name of a container; use lower-case '
            "letters, digits and hyphens"
        )
    _check_command(key, container)
    _check_environment(key, container)
    image = container["image"]
    try:
        msgspec.convert(image, Image)
    except msgspec.ValidationError:
        image = ""
    if not image or image.endswith(":latest"):
        raise ValueError(
            f"{key}.image: {container['image']} has no fixed tag; name a version or a digest"
        )
    restart = container.get("restartPolicy")
    if restart is not None and not (is_init and restart == "Always"):
        raise ValueError(
            f"{key}.restartPolicy: {restart} is not allowed; "
            + (
                "a native sidecar has Always"
                if is_init
                else "for a native sidecar move the container to pod.init_containers"
            )
        )
    if is_init and restart is None:
        for name in _SERVER_KEYS:
            if name in container:
                raise ValueError(
                    f"{key}.{name}: Kubernetes refuses it in an init container; remove it, or set "
                    "restartPolicy: Always for a native sidecar"
                )
    _check_resources(key, container.get("resources"))


def _check_command(key: str, container: Mapping[str, Any]) -> None:
    for name in ("command", "args"):
        given = container.get(name, [])
        if not isinstance(given, list):
            raise ValueError(f'{key}.{name}: expected a list of words: ["sh", "-c", "…"]')
        for number, word in enumerate(given):
            if not isinstance(word, _SCALARS):
                raise ValueError(f"{key}.{name}[{number}]: expected text")


def _check_environment(key: str, container: Mapping[str, Any]) -> None:
    for number, variable in enumerate(mappings(key, container, "env")):
        at = f"{key}.env[{number}]"
        if not isinstance(variable.get("name"), str):
            raise ValueError(f"{at}: the key name is missing, or not text")
        if not isinstance(variable.get("value", ""), _SCALARS):
            raise ValueError(f"{at}.value: expected text")


def _check_resources(key: str, given: Any) -> None:
    resources = given if isinstance(given, Mapping) else {}
    for kind, name in (("requests", "cpu"), ("requests", "memory"), ("limits", "memory")):
        if name not in (resources.get(kind) or {}):
            raise ValueError(
                f"{key}.resources.{kind}.{name} is missing; the scheduler and the checks of this "
                "file count with it"
            )
    for kind, name, text in quantities(resources):
        where = f"{key}.resources.{kind}.{name}"
        if name == GPU_RESOURCE or name.startswith(TPU_RESOURCE):
            raise ValueError(f"{where}: accelerators are the model's; set the entry's resources")
        try:
            msgspec.convert(text, Quantity)
        except msgspec.ValidationError:
            raise ValueError(f"{where}: {text} is not a quantity, as 500m or 256Mi are") from None
        problem = cores_problem(text) if name == "cpu" else memory_problem(text)
        if problem and name in {"cpu", "memory", "ephemeral-storage"}:
            raise ValueError(f"{where}: {problem}")
    requests, limits = resources["requests"], resources["limits"]
    for name in requests:
        if name in limits and amount(str(requests[name])) > amount(str(limits[name])):
            raise ValueError(
                f"{key}.resources.requests.{name}: {requests[name]} exceeds the limit, "
                f"{limits[name]}"
            )


def quantities(resources: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """`requests` or `limits`, the resource, and its quantity."""
    for kind in ("requests", "limits"):
        for name, value in (resources.get(kind) or {}).items():
            yield kind, name, str(value)


def mappings(key: str, container: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The list below `name`, which may be missing. `ValueError` if it is no list of mappings."""
    given = container.get(name) or []
    if not isinstance(given, list) or not all(isinstance(one, Mapping) for one in given):
        raise ValueError(f"{key}.{name}: expected a list of mappings, as in a Kubernetes pod spec")
    return list(given)
