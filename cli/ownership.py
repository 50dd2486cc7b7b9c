"""Whether what exists under the name of an interrupted creation was made by that creation.

A creation sends the description and the labels of a resource at once, and an API server notes who
wrote each field. What has neither cannot be told apart: a state does not say when its last update
began, so the time of a creation says nothing. It is adopted, and the update makes it as declared.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

Values = Mapping[str, Any]
_MANAGER = "pulumi"
_LABELS = ("labels", "resourceLabels", "userLabels")


def foreign(type_: str, inputs: Values, provider: Values, there: Values) -> str | None:
    """Why the resource is somebody else's; None where it may be of this creation.

    `provider` has the inputs of its provider, `there` is the resource of the state as it was read.
    """
    outputs = there.get("outputs") or {}
    if type_.startswith("kubernetes:"):
        # The object of a patch is another's by its nature.
        return None if type_.endswith("Patch") else _object(outputs.get("metadata") or {})
    declared, has = inputs.get("description"), outputs.get("description")
    if isinstance(declared, str) and isinstance(has, str) and declared != has:
        return f"its description is {json.dumps(has)}, not {json.dumps(declared)}"
    return _labels(inputs, provider, outputs)


def _object(metadata: Values) -> str | None:
    """By the writers of its fields."""
    writers = [str(one.get("manager")) for one in metadata.get("managedFields") or ()]
    if not writers or any(one.startswith(_MANAGER) for one in writers):
        return None
    return f"it was written by {', '.join(sorted(set(writers)))}"


def _labels(inputs: Values, provider: Values, outputs: Values) -> str | None:
    """By its labels; one without any may have been interrupted before it got them."""
    has = outputs.get("effectiveLabels")
    has = _first(outputs) if has is None else has
    wanted = {**_mapping(provider.get("defaultLabels")), **_mapping(_first(inputs))}
    if not isinstance(has, Mapping) or not has or not wanted:
        return None
    for name, value in wanted.items():
        if isinstance(value, str) and has.get(name) != value:
            return f"its label {name} is {json.dumps(has.get(name))}, not {json.dumps(value)}"
    return None


def _first(values: Values) -> Any:
    return next((values[name] for name in _LABELS if values.get(name) is not None), None)


def _mapping(value: Any) -> Values:
    """Labels; a provider's are JSON in its inputs."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, Mapping) else {}
