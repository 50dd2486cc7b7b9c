"""Field masks: the paths of an `updateMask`, and a document changed by them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask

from sandbox.gcp.discovery import Json


def paths(text: str) -> list[str]:
    """The paths of a mask in camelCase; Google takes snake_case too. Raises ValueError."""
    mask = FieldMask()
    for path in (part.strip() for part in text.split(",")):
        if "_" in path:
            mask.paths.append(path)
        elif path:
            camel = FieldMask()
            camel.FromJsonString(path)
            mask.paths.extend(camel.paths)
    return [path for path in mask.ToJsonString().split(",") if path]


def merged(old: Json, given: Json, mask: Sequence[str]) -> Json:
    """The old document with the masked fields of the new one; those not given are unset."""
    document: Json = copy.deepcopy(old)
    for path in mask:
        *parents, last = path.split(".")
        source: Any = given
        target: Any = document
        for part in parents:
            source = source.get(part) if isinstance(source, dict) else None
            if not isinstance(target.get(part), dict):
                if not isinstance(source, dict):
                    break  # nothing to set, and nothing there to unset
                target[part] = {}
            target = target[part]
        else:
            if not isinstance(source, dict) or source.get(last) is None:
                target.pop(last, None)
            else:
                target[last] = copy.deepcopy(source[last])
    return document
