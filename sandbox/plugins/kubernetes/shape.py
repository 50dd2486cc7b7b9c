"""Objects against objects: what differs, what of a live object is ours, and what of it is secret.

Pure functions over JSON values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sandbox.plugins.values import Secret

Json = dict[str, Any]
# What the server adds to every object; never part of what a person asked for.
_SERVER_METADATA = (
    "creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "generation",
    "managedFields", "resourceVersion", "selfLink", "uid",
)  # fmt: skip


def differences(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """(path, add, delete or update) of every leaf that differs."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*old, *(k for k in new if k not in old)]:
            place = f"{path}.{_escaped(key)}" if path else _escaped(key)
            if key not in new:
                yield place, "delete"
            elif key not in old:
                yield place, "add"
            else:
                yield from differences(old[key], new[key], place)
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            place = f"{path}[{index}]"
            if index >= len(new):
                yield place, "delete"
            elif index >= len(old):
                yield place, "add"
            else:
                yield from differences(old[index], new[index], place)
    elif old != new:
        yield path, "update"


def _escaped(key: str) -> str:
    return f'["{key}"]' if "." in key or "[" in key else key


def live_inputs(inputs: Any, before: Any, now: Any) -> Any:
    """The inputs as the live object has them, where somebody changed them since.

    `before` is the object as we last saw it, `now` as it is. Where they agree, the input stays as
    it was written ("1000m" and not "1"); where they differ, the live value shows.
    """
    if isinstance(inputs, Secret):
        kept = live_inputs(inputs.value, before, now)
        return Secret(kept)
    if isinstance(inputs, Mapping) and isinstance(now, Mapping):
        was = before if isinstance(before, Mapping) else {}
        return {
            key: live_inputs(value, was.get(key), now.get(key))
            for key, value in inputs.items()
            if key in now or key not in was
        }
    if isinstance(inputs, list) and isinstance(now, list):
        was_list = before if isinstance(before, list) else []
        if len(inputs) != len(now):
            return inputs if before == now else now
        return [
            live_inputs(value, was_list[i] if i < len(was_list) else None, now[i])
            for i, value in enumerate(inputs)
        ]
    return inputs if before == now else now


def imported(live: Json) -> Json:
    """Inputs for an object that is taken over: all that a person could have written."""
    inputs = {key: value for key, value in live.items() if key != "status"}
    metadata = {k: v for k, v in live["metadata"].items() if k not in _SERVER_METADATA}
    inputs["metadata"] = metadata
    return inputs


def sealed(kind: str, inputs: Mapping[str, Any], live: Json) -> Json:
    """The live object with everything secret that came from a secret input."""
    outputs = {k: _sealed(inputs.get(k), v) for k, v in live.items()}
    outputs["metadata"] = _without_managed_fields(outputs["metadata"])
    if kind == "Secret":
        for name in ("data", "stringData"):
            if name in outputs and not isinstance(outputs[name], Secret):
                outputs[name] = Secret(outputs[name])
    return outputs


def _without_managed_fields(metadata: Any) -> Any:
    if isinstance(metadata, Mapping):
        return {k: v for k, v in metadata.items() if k != "managedFields"}
    return metadata


def _sealed(given: Any, live: Any) -> Any:
    if isinstance(given, Secret):
        return Secret(live)
    if isinstance(given, Mapping) and isinstance(live, Mapping):
        return {k: _sealed(given.get(k), v) for k, v in live.items()}
    if isinstance(given, list) and isinstance(live, list) and len(given) == len(live):
        return [_sealed(g, v) for g, v in zip(given, live, strict=True)]
    return live
