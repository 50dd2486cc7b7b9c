"""What a program declared: resources with their inputs and options, and the stack's outputs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from policies.subjects import Resource


@dataclass
class Declared:
    """What a program declared: resources by (type, logical name), and its outputs."""

    inputs: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    secret_outputs: set[str] = field(default_factory=set)
    protected: set[tuple[str, str]] = field(default_factory=set)
    """Resources with the option `protect`."""
    retained: set[tuple[str, str]] = field(default_factory=set)
    """Resources with the option `retain_on_delete`."""
    deleted_first: dict[tuple[str, str], bool] = field(default_factory=dict)
    """`delete_before_replace` where a resource states it."""
    ignored: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    """The inputs of each resource whose changes are ignored."""
    dependencies: dict[tuple[str, str], set[tuple[str, str]]] = field(default_factory=dict)
    """The resources that each depends on, by type and logical name."""
    hooks: dict[tuple[str, str], dict[str, list[str]]] = field(default_factory=dict)
    """The names of resource hooks, by when they run: `after_create`."""

    def resources(self, environment: str, project: str) -> list[Resource]:
        """The resources as policies see them, with the URNs that the engine would give.

        They are by type and name: the order of their registration differs between runs.
        """
        return [
            Resource(
                kind,
                inputs,
                name,
                f"urn:pulumi:{environment}::{project}::{kind}::{name}",
                protect=(kind, name) in self.protected,
            )
            for (kind, name), inputs in sorted(self.inputs.items())
        ]

    def of(self, kind: str) -> dict[str, dict[str, Any]]:
        """The inputs of the resources of one type, by logical name."""
        # The mocks ask while other threads still declare: a copy is made in one step.
        known = self.inputs.copy()
        return {name: inputs for (typ, name), inputs in known.items() if typ == kind}
