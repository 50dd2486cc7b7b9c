"""The resources that an update changes: by a preview's steps, or by program and state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cli import urns
from cli.capacity.comparison import Change
from cli.steps import Step
from policies.subjects import Resource

_DELETED = ("delete", "delete-replaced", "discard-replaced", "remove-pending-replace")
_CREATED = ("create", "create-replacement", "import")


def of_steps(steps: Iterable[Step]) -> list[Change]:
    """The changes that a preview of one layer plans; what stays as it is is among them."""
    by_urn: dict[str, list[Step]] = {}
    for step in steps:
        by_urn.setdefault(step.urn, []).append(step)
    return [_change(its) for its in by_urn.values()]


def of_state(document: Any, declared: Iterable[Resource]) -> list[Change]:
    """The changes of one layer, from its exported state and what its program declares.

    A resource is the same one when its type and its name in the account are. Where there is no
    state, all is created.
    """
    present = {_key(one["type"], one): one for one in _resources(document)}
    changes = []
    for resource in declared:
        held = present.pop(_key(resource.type, {"inputs": resource.props, "urn": resource.urn}), {})
        changes.append(
            Change(
                type=resource.type,
                name=resource.name,
                before=held.get("inputs"),
                after=resource.props,
                outputs=held.get("outputs") or {},
            )
        )
    return changes


def _change(steps: list[Step]) -> Change:
    ops = [step.op for step in steps]
    first, last = steps[0], steps[-1]
    old = next((step.old for step in steps if step.old), None)
    made = next((step for step in steps if step.op in _CREATED or step.is_replacement), last)
    new = next((step.new for step in (made, *steps) if step.new), None)
    is_gone = all(op in _DELETED for op in ops)
    is_new = all(op in _CREATED for op in ops) and "create-replacement" not in ops
    creates = [index for index, op in enumerate(ops) if op == "create-replacement"]
    deletes = [index for index, op in enumerate(ops) if op == "delete-replaced"]
    # Deleting first frees what the new one needs.
    beside = any(step.is_replacement for step in steps) and not (
        creates and deletes and deletes[0] < creates[0]
    )
    return Change(
        type=first.type,
        name=first.name,
        before=None if is_new else old or {},
        after=None if is_gone else new or old or {},
        stands_beside=beside and not is_gone,
        outputs=next((step.outputs for step in steps if step.outputs), {}),
    )


def _resources(document: Any) -> list[Mapping[str, Any]]:
    """The resources of a state: of `pulumi stack export`, or as a file backend has it."""
    if not isinstance(document, dict):
        return []
    held = (document.get("checkpoint") or {}).get("latest") or document.get("deployment") or {}
    return [one for one in held.get("resources") or () if not one.get("delete")]


def _key(kind: str, resource: Mapping[str, Any]) -> tuple[str, str]:
    inputs = resource.get("inputs") or {}
    metadata = inputs.get("metadata")
    if isinstance(metadata, Mapping) and metadata.get("name"):
        return kind, f"{metadata.get('namespace', '')}/{metadata['name']}"
    name = inputs.get("name")
    return kind, str(name or urns.name(str(resource.get("urn", ""))))
