"""Inputs for an imported object: the fields that a person set.

kubectl's record of what it last applied says it best; then the server's record of who manages
what; where there is neither, everything that is not the server's own.
"""

from __future__ import annotations

import json
from typing import Any

Json = dict[str, Any]
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_NOT_INPUTS = (_LAST_APPLIED, "deployment.kubernetes.io/revision")
# Managers whose fields are not written by a person.
_MACHINES = ("kube-", "kubelet", "kwok", "gke", "metrics-server", "cluster-autoscaler")
_SERVER_METADATA = frozenset(
    {
        "creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "generation",
        "managedFields", "resourceVersion", "selfLink", "uid",
    }
)  # fmt: skip


def imported(live: Json) -> Json:
    """The live object's values of the fields that a person set."""
    picked = _as_last_applied(live) or _as_managed(live) or dict(live)
    picked.pop("status", None)
    metadata = {
        key: value
        for key, value in (picked.get("metadata") or {}).items()
        if key not in _SERVER_METADATA
    }
    annotations = {
        key: value
        for key, value in (metadata.pop("annotations", None) or {}).items()
        if key not in _NOT_INPUTS
    }
    if annotations:
        metadata["annotations"] = annotations
    for key in ("name", "namespace"):
        if live["metadata"].get(key):
            metadata[key] = live["metadata"][key]
    return {**picked, "apiVersion": live["apiVersion"], "kind": live["kind"], "metadata": metadata}


def _as_last_applied(live: Json) -> Json | None:
    text = (live["metadata"].get("annotations") or {}).get(_LAST_APPLIED)
    try:
        applied = json.loads(text) if text else None
    except ValueError:
        return None
    return shaped(live, applied) if isinstance(applied, dict) else None


def shaped(document: Any, form: Any) -> Any:
    """The part of a document whose keys another document has."""
    if isinstance(form, dict) and isinstance(document, dict):
        return {k: shaped(document[k], v) for k, v in form.items() if k in document}
    if isinstance(form, list) and isinstance(document, list) and len(form) == len(document):
        return [shaped(d, f) for d, f in zip(document, form, strict=True)]
    return document


def _as_managed(live: Json) -> Json | None:
    fields: Json = {}
    for entry in live["metadata"].get("managedFields") or []:
        is_machine = str(entry.get("manager", "")).startswith(_MACHINES)
        if not entry.get("subresource") and not is_machine:
            _merge(fields, entry.get("fieldsV1") or {})
    return _picked(live, fields) if fields else None


def _merge(into: Json, fields: Json) -> None:
    for key, below in fields.items():
        _merge(into.setdefault(key, {}), below)


def _picked(value: Any, fields: Json) -> Any:
    """The part of a value that a field set (`fieldsV1`) names."""
    below = {key: sub for key, sub in fields.items() if key != "."}
    if not below:
        return value
    if isinstance(value, dict):
        named = {key[2:]: sub for key, sub in below.items() if key.startswith("f:")}
        return {key: _picked(value[key], named[key]) for key in value if key in named}
    if isinstance(value, list):
        picked = []
        for index, item in enumerate(value):
            for key, sub in below.items():
                if _is_named(key, index, item):
                    picked.append(_picked(item, sub))
                    break
        return picked
    return value


def _is_named(key: str, index: int, item: Any) -> bool:
    """Whether `k:{"name":"app"}`, `v:"value"` or `i:0` means the item of a list."""
    kind, _, text = key.partition(":")
    if kind == "i":
        return text == str(index)
    wanted = json.loads(text)
    if kind == "k":
        return isinstance(item, dict) and all(item.get(k) == v for k, v in wanted.items())
    return bool(wanted == item)
