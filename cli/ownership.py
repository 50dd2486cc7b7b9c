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
_LATER = "labels"
"""Of some types these are set by a second request, which may have been cut off."""
_LABELS = (_LATER, "resourceLabels", "userLabels")
_ENVELOPE = "4dabf18193072939515e22adb298388d"
"""The key by which the engine marks a secret, or another special value, in a state."""


def foreign(type_: str, inputs: Values, there: Values) -> str | None:
    """Why the resource is somebody else's; None where it may be of this creation.

    `there` is the resource of the state as it was read.
    """
    outputs = there.get("outputs") or {}
    if type_.startswith("kubernetes:"):
        # The object of a patch is another's by its nature.
        if type_.endswith("Patch"):
            return None
        return _object(inputs.get("metadata") or {}, outputs.get("metadata") or {})
    declared, has = inputs.get("description"), outputs.get("description")
    if isinstance(declared, str) and isinstance(has, str) and declared != has:
        return f"its description is {json.dumps(has)}, not {json.dumps(declared)}"
    return _labels(inputs, outputs)


def _object(declared: Values, metadata: Values) -> str | None:
    """By the writers of its fields, and by its labels where Pulumi wrote it."""
    writers = [str(one.get("manager")) for one in metadata.get("managedFields") or ()]
    if not writers:
        return None
    if any(one.startswith(_MANAGER) for one in writers):
        return _different(declared.get(_LATER), metadata.get(_LATER) or {})
    return f"it was written by {', '.join(sorted(set(writers)))}"


def _labels(inputs: Values, outputs: Values) -> str | None:
    """By the labels that the program gives it; all others are secret in a state."""
    for field in _LABELS:
        has = outputs.get(field) or {}
        found = None if field == _LATER and not has else _different(inputs.get(field), has)
        if found:
            return found
    return None


def _different(wanted: Any, has: Any) -> str | None:
    """The first wanted label that is not there; None for secrets."""
    if not (isinstance(wanted, Mapping) and isinstance(has, Mapping)):
        return None
    if _ENVELOPE in wanted or _ENVELOPE in has:
        return None
    for name, value in wanted.items():
        if isinstance(value, str) and has.get(name) != value:
            return f"its label {name} is {json.dumps(has.get(name))}, not {json.dumps(value)}"
    return None
