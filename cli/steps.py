"""What the engine does, or plans, with each resource of a layer, as its event log says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cli import urns

Json = dict[str, Any]
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""How the engine writes text that is known only after an update."""
MASKED = "[secret]"
"""How the engine writes a secret in its event log."""
_REPLACING = ("replace", "create-replacement", "delete-replaced")


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the engine with a resource, planned or made. A replacement has up to three."""

    op: str
    """The engine's word: create, update, delete, replace, create-replacement, same, …"""
    urn: str
    type: str
    """The type token, such as `gcp:compute/network:Network`."""
    old: Mapping[str, Any] = field(default_factory=dict)
    """The inputs before; secrets are masked."""
    new: Mapping[str, Any] = field(default_factory=dict)
    """The inputs after; secrets are masked, unknown text is UNKNOWN."""
    outputs: Mapping[str, Any] = field(default_factory=dict)
    """The resource's properties before the step, as the state has them; secrets are masked."""
    differs: tuple[str, ...] = ()
    """Property paths that differ, such as `spec.replicas`."""
    replaces_for: tuple[str, ...] = ()
    """Property paths that force the replacement."""
    stays: bool = False
    """Whether a deletion leaves it in the account: `retain_on_delete` of the last deployment."""

    @property
    def name(self) -> str:
        """The resource's name in the program."""
        return urns.name(self.urn)

    @property
    def kind(self) -> str:
        """The last part of the type, such as `Network`."""
        return urns.kind(self.type)

    @property
    def is_replacement(self) -> bool:
        """Whether it is a part of a replacement."""
        return self.op in _REPLACING


@dataclass(frozen=True, slots=True)
class Refresh:
    """A resource as the state had it and as it was found in the account. Secrets are masked."""

    urn: str
    type: str
    id: str
    inputs: Mapping[str, Any]
    """The inputs of the last deployment."""
    outputs: Mapping[str, Any]
    """The properties in the state."""
    is_gone: bool
    """Whether the account does not have it any more."""
    found_inputs: Mapping[str, Any]
    """The inputs that stand for what was found, as its provider says."""
    found: Mapping[str, Any]
    """The properties that were found."""
    differs: tuple[str, ...] = ()
    """Property paths that differ, as its provider says."""

    @property
    def name(self) -> str:
        """The resource's name in the program."""
        return urns.name(self.urn)

    @property
    def kind(self) -> str:
        """The last part of the type, such as `Network`."""
        return urns.kind(self.type)


def refresh(metadata: Json) -> Refresh:
    """What the `resOutputsEvent` of a refresh says; `metadata` is the event's."""
    old, new = metadata.get("old") or {}, metadata.get("new") or {}
    return Refresh(
        urn=metadata["urn"],
        type=metadata["type"],
        id=str(old.get("id") or ""),
        inputs=old.get("inputs") or {},
        outputs=old.get("outputs") or {},
        is_gone=not new,
        found_inputs=new.get("inputs") or {},
        found=new.get("outputs") or {},
        differs=tuple(metadata.get("detailedDiff") or metadata.get("diffs") or ()),
    )


def step(metadata: Json) -> Step:
    """The step that a `resourcePreEvent` describes; `metadata` is the event's."""
    old, new = metadata.get("old") or {}, metadata.get("new") or {}
    detailed = metadata.get("detailedDiff") or {}
    differs = tuple(detailed) or tuple(metadata.get("diffs") or ())
    forced = tuple(path for path, one in detailed.items() if "replace" in one.get("diffKind", ""))
    return Step(
        op=metadata["op"],
        urn=metadata["urn"],
        type=metadata["type"],
        old=old.get("inputs") or {},
        new=new.get("inputs") or {},
        outputs=old.get("outputs") or {},
        differs=differs,
        replaces_for=forced or tuple(metadata.get("keys") or ()),
        stays=bool(old.get("retainOnDelete")),
    )
