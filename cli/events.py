"""Reads the event log of one run of the engine: changes, outputs, errors and violations."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cli import lost_answers, urns
from cli.steps import Refresh, Step, refresh, step

Json = dict[str, Any]
_COLOURS = re.compile(r"<\{%[^%]*%\}>")
VERBS = {
    "create": ("creating", "created"),
    "update": ("updating", "updated"),
    "delete": ("deleting", "deleted"),
    "create-replacement": ("creating", "replaced"),
    "delete-replaced": ("deleting", "deleted the replaced"),
    "import": ("importing", "imported"),
}
"""How a progress line names an operation of the engine: while it lasts, and afterwards."""
STEPS = ("resourcePreEvent", "resOutputsEvent", "resOpFailedEvent")
"""The events of what the engine does with one resource: begun, done, failed."""
_STACK = "pulumi:pulumi:Stack"
_PARTIAL_FAILURE = 1
CHANGES = ("create", "update", "delete", "replace", "same")


@dataclass(slots=True)
class Run:
    """The state of a run according to the events so far."""

    changes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CHANGES, 0))
    outputs: Json = field(default_factory=dict)
    """The stack's outputs; a secret one is masked by the engine."""
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    violations: dict[tuple[str, str], str] = field(default_factory=dict)
    """(policy, URN) → the line to show; the engine sends each violation twice."""
    refusals: list[str] = field(default_factory=list)
    """The lines of the violations that are mandatory, and so refuse the run."""
    interrupted: bool = False
    """Whether the run was cancelled with Ctrl-C."""
    is_preview: bool = False
    """Whether the changes are planned, not made."""
    replaced: set[str] = field(default_factory=set)
    """Types of which a resource was replaced."""
    steps: list[Step] = field(default_factory=list)
    """The engine's steps in its order; those of the stack and of providers are among them."""
    refreshes: list[Refresh] = field(default_factory=list)
    """What a refresh found of each resource that a provider can read."""
    _begun: dict[str, Json] = field(default_factory=dict)
    _failed: dict[str, Json] = field(default_factory=dict)
    _said: dict[str, str] = field(default_factory=dict)

    @property
    def is_unchanged(self) -> bool:
        """Whether the engine found nothing to do, and the stack's outputs are the ones before.

        A secret output is masked, before and after.
        """
        before = [one.outputs for one in self.steps if one.type == _STACK]
        return before == [self.outputs] and all(one.op == "same" for one in self.steps)

    @property
    def unanswered(self) -> list[Json]:
        """What may have been created although its creation failed."""
        return self._failed_where(lost_answers.is_lost)

    @property
    def taken(self) -> list[Json]:
        """What was not created because it exists."""
        return self._failed_where(lost_answers.is_taken)

    @property
    def unfinished(self) -> list[Json]:
        """What was being created when the log ended, or may have been as `unanswered`."""
        unsaid = self._failed_where(lambda text: not text or lost_answers.is_lost(text))
        return [*self._begun.values(), *unsaid]

    def _failed_where(self, told: Callable[[str], bool]) -> list[Json]:
        return [new for urn, new in self._failed.items() if told(self._said.get(urn, ""))]

    def take(self, event: Json) -> str | None:
        """Record an event; return a line to show, or None."""
        if "resourcePreEvent" in event:
            metadata = event["resourcePreEvent"]["metadata"]
            self.steps.append(step(metadata))
            new = metadata.get("new") or {}
            is_planned = event["resourcePreEvent"].get("planning")
            if metadata["op"] in lost_answers.CREATIONS and new.get("custom") and not is_planned:
                self._begun[metadata["urn"]] = new
            return self._step(metadata, 0) if self.is_preview or not is_planned else None
        if "resOutputsEvent" in event:
            metadata = event["resOutputsEvent"]["metadata"]
            if metadata["op"] == "refresh" and (metadata.get("old") or {}).get("custom"):
                self.refreshes.append(refresh(metadata))
            self._begun.pop(metadata["urn"], None)
            if metadata["type"] == _STACK:
                self.outputs = (metadata.get("new") or {}).get("outputs") or self.outputs
            is_planned = event["resOutputsEvent"].get("planning")
            return self._step(metadata, 1) if self.is_preview or not is_planned else None
        if "resOpFailedEvent" in event:
            self._failure(event["resOpFailedEvent"])
        if "diagnosticEvent" in event:
            return self._diagnostic(event["diagnosticEvent"])
        if "policyEvent" in event:
            return self._policy(event["policyEvent"])
        if "summaryEvent" in event:
            for kind, count in (event["summaryEvent"].get("resourceChanges") or {}).items():
                if kind in self.changes:
                    self.changes[kind] = count
        return None

    def _step(self, metadata: Json, tense: int) -> str | None:
        verbs = VERBS.get(metadata["op"])
        if verbs is None or metadata["type"] == _STACK:
            return None
        if metadata["op"] == "create-replacement":
            self.replaced.add(metadata["type"])
        kind, name = urns.kind(metadata["type"]), urns.name(metadata["urn"])
        if self.is_preview:
            return f"would be {verbs[1]}: {kind} {name}" if tense == 0 else None
        return f"{verbs[tense]} {kind} {name}"

    def _failure(self, event: Json) -> None:
        """Keep a creation that failed; one that failed in part is in the state."""
        metadata = event["metadata"]
        new = metadata.get("new") or {}
        self._begun.pop(metadata["urn"], None)
        is_creation = metadata["op"] in lost_answers.CREATIONS and new.get("custom")
        if is_creation and event.get("status") != _PARTIAL_FAILURE:
            self._failed[metadata["urn"]] = new

    def _diagnostic(self, event: Json) -> str | None:
        if event.get("ephemeral"):
            return None
        text = plain(event.get("message", "")).strip()
        severity = event.get("severity", "info")
        if not text or severity == "debug":
            return None
        name = urns.name(event["urn"]) if event.get("urn") and _STACK not in event["urn"] else ""
        line = f"{name}: {text}" if name else text
        if severity == "error" and event.get("urn"):
            self._said[event["urn"]] = f"{self._said.get(event['urn'], '')}\n{text}"
        if severity == "error" and line not in self.errors:
            self.errors.append(line)
        elif severity == "warning" and line not in self.warnings:
            self.warnings.append(line)
            return f"warning: {line}"
        elif severity == "info":
            return line
        return None

    def _policy(self, event: Json) -> str | None:
        key = (event["policyName"], event.get("resourceUrn", ""))
        if key in self.violations:
            return None
        text = plain(event.get("message", "")).strip()
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        level = event.get("enforcementLevel", "")
        shown = f"policy {event['policyName']} ({level}): {urns.name(key[1])}: {' '.join(lines)}"
        self.violations[key] = shown
        if level != "mandatory":
            return shown
        self.refusals.append(shown)
        return None


def plain(text: str) -> str:
    """A text of the engine without its colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", _COLOURS.sub("", text))
