"""Compares objects: differences, managed fields of a live object, and secrets.

Pure functions over JSON values.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sandbox.plugins.kubernetes.ownership import shaped
from sandbox.plugins.values import Secret, reveal

Json = dict[str, Any]
# Shorter secrets would match unrelated text.
_SHORTEST_SECRET = 5


def differences(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """(path, add, delete or update) of every leaf that differs."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*old, *(k for k in new if k not in old)]:
            place = below(path, key)
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


def below(path: str, key: str) -> str:
    """The property path of a key in Pulumi's syntax."""
    if not key or any(mark in key for mark in '.[]"'):
        return f"{path}[{json.dumps(key, ensure_ascii=False)}]"
    return f"{path}.{key}" if path else key


def without_nulls(value: Any) -> Any:
    """The value without empty values."""
    if isinstance(value, Secret):
        return Secret(without_nulls(value.value))
    if isinstance(value, Mapping):
        return {k: without_nulls(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value


def refreshed(inputs: Json, before: Json, now: Json) -> Json:
    """The inputs with the live object's values where they have drifted.

    `before` is the object as we last saw it, `now` as it is. Where they agree, the input stays as
    it was written ("1000m" and not "1"); where they differ, the live value shows. What only others
    set does not.
    """
    plain = reveal(inputs)
    found = _refreshed(plain, shaped(before, plain), shaped(now, plain))
    kept: Json = sealed(inputs, found)
    return kept


def _refreshed(inputs: Any, before: Any, now: Any) -> Any:
    if before == now:
        return inputs
    if isinstance(inputs, Mapping) and isinstance(now, Mapping):
        was = before if isinstance(before, Mapping) else {}
        return {
            key: _refreshed(value, was.get(key), now.get(key))
            for key, value in inputs.items()
            # Write-only keys such as stringData are kept.
            if key in now or key not in was
        }
    if isinstance(inputs, list) and isinstance(now, list) and len(inputs) == len(now):
        was_list = before if isinstance(before, list) and len(before) == len(now) else []
        return [
            _refreshed(value, was_list[i] if was_list else None, now[i])
            for i, value in enumerate(inputs)
        ]
    return now


def sealed(inputs: Any, live: Any) -> Any:
    """The live values, secret wherever the inputs are secret.

    A secret is recognized by its place, and elsewhere by its value, plain or in base64: in an
    annotation, in another field, in a list whose items moved.
    """
    texts = tuple(_secret_texts(inputs))
    return _sealed_values(_sealed_places(inputs, live), texts) if _has_any(inputs) else live


def outputs(inputs: Json, live: Json) -> Json:
    """A live object without managedFields."""
    shown = dict(live)
    metadata = live["metadata"]
    shown["metadata"] = {k: v for k, v in metadata.items() if k != "managedFields"}
    result: Json = sealed(inputs, shown)
    return with_secret_data(result)


def with_secret_data(document: Json) -> Json:
    """A Secret with its data marked secret."""
    if document.get("kind") != "Secret" or document.get("apiVersion") != "v1":
        return document
    return {
        key: Secret(value)
        if key in {"data", "stringData"} and not isinstance(value, Secret)
        else value
        for key, value in document.items()
    }


def masked(text: str, inputs: Any) -> str:
    """A message without the inputs' secrets: the server quotes what it refuses."""
    for secret in _secret_texts(inputs):
        text = text.replace(secret, "[secret]")
    return text


def _sealed_places(given: Any, live: Any) -> Any:
    if isinstance(given, Secret):
        return Secret(live)
    if isinstance(given, Mapping) and isinstance(live, Mapping):
        return {k: _sealed_places(given.get(k), v) for k, v in live.items()}
    if isinstance(given, list) and isinstance(live, list) and len(given) == len(live):
        return [_sealed_places(g, v) for g, v in zip(given, live, strict=True)]
    return live


def _sealed_values(live: Any, texts: Sequence[str]) -> Any:
    if isinstance(live, str):
        return Secret(live) if any(text in live for text in texts) else live
    if isinstance(live, Mapping):
        return {k: _sealed_values(v, texts) for k, v in live.items()}
    if isinstance(live, list):
        return [_sealed_values(v, texts) for v in live]
    return live


def _has_any(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_has_any(item) for item in value.values())
    if isinstance(value, list):
        return any(_has_any(item) for item in value)
    return isinstance(value, Secret)


def _secret_texts(value: Any, *, within: bool = False) -> Iterator[str]:
    if isinstance(value, Secret):
        yield from _secret_texts(value.value, within=True)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _secret_texts(item, within=within)
    elif isinstance(value, list):
        for item in value:
            yield from _secret_texts(item, within=within)
    elif within and isinstance(value, str) and len(value) >= _SHORTEST_SECRET:
        yield value
        yield base64.b64encode(value.encode()).decode()
