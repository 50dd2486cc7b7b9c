"""`Pack`: evaluates rules on resources at given levels and returns findings.

It neither serves nor prints, so the engine's analyzer and `policies.check` share it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from gkeplatform.config import Settings
from gkeplatform.errors import PlatformError
from policies.rule import Level, Rule, Stack
from policies.settings import RuleSettings
from policies.subjects import Path, Resource, View
from policies.values import MalformedInputError, UnknownError
from policies.waivers import Waiver, Waivers


class Verdict(Enum):
    """The kind of a finding."""

    VIOLATION = "violation"
    BROKEN = "broken"
    """The rule failed on the resource; counted as a violation."""
    UNKNOWN = "unknown"
    """The rule depends on a value that is not known before the update."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one rule for one resource."""

    rule: Rule
    resource: Resource
    verdict: Verdict
    messages: tuple[str, ...]
    waiver: Waiver | None = None
    """The waiver that applies, if any; the finding then stops nothing."""
    expired_waiver: Waiver | None = None
    """The waiver that applied until it expired, if any."""


@dataclass(frozen=True, slots=True)
class Remediation:
    """A value that a rule sets to repair a resource."""

    rule: Rule
    path: Path
    value: Any


_Check = tuple[Rule, View, Callable[..., Iterator[str]], tuple[Settings, ...]]


class Pack:
    """Rules with the levels, parameters and waivers of one stack."""

    def __init__(
        self,
        rules: Sequence[Rule],
        levels: Mapping[str, Level] | None = None,
        parameters: Mapping[str, Settings] | None = None,
        waivers: Waivers | None = None,
    ) -> None:
        self.rules = {rule.id: rule for rule in rules}
        if len(self.rules) != len(rules):
            ids = [rule.id for rule in rules]
            raise PlatformError(f"two rules have the id {max(ids, key=ids.count)}")
        self.waivers = waivers or Waivers.none()
        self._levels = {rule.id: rule.level for rule in rules} | dict(levels or {})
        self._parameters = {
            rule.id: rule.parameters() for rule in rules if rule.parameters is not None
        } | dict(parameters or {})
        self._by_type: dict[tuple[str, bool], list[_Check]] = {}

    def level(self, rule: Rule) -> Level:
        """Return the level of a rule."""
        return self._levels[rule.id]

    def with_levels(self, levels: Mapping[str, Level]) -> "Pack":
        """Return a copy with other levels for some rules."""
        return self.with_settings(RuleSettings(levels))

    def with_settings(self, settings: RuleSettings, waivers: Waivers | None = None) -> "Pack":
        """Return a copy with an environment's levels, parameters and waivers."""
        return Pack(
            list(self.rules.values()),
            self._levels | dict(settings.levels),
            self._parameters | dict(settings.parameters),
            self.waivers if waivers is None else waivers,
        )

    def only(self, rule: str) -> "Pack":
        """Return a copy with one rule, its level, parameters and waivers."""
        own = self._parameters.get(rule)
        parameters = {} if own is None else {rule: own}
        levels = {rule: self._levels[rule]}
        return Pack([self.rules[rule]], levels, parameters, self.waivers)

    def remediations(self, resource: Resource) -> list[Remediation]:
        """Return the values that rules at level `remediate` set on a resource."""
        remediations: list[Remediation] = []
        for rule, _, _, given in self._checks_for(resource.type, over_stack=False):
            if self._levels[rule.id] is not Level.REMEDIATE or rule.repair is None:
                continue
            if self.waivers.find(rule.id, resource) is not None:
                continue
            try:
                for path, value in rule.repair(resource, *given):
                    remediations.append(Remediation(rule, path, value))
            except Exception:  # noqa: S112 (`judge` reports what cannot be repaired)
                continue
        return remediations

    def judge(self, resource: Resource) -> list[Finding]:
        """Evaluate the rules that need one resource only."""
        return self._judged(resource, ())

    def judge_stack(self, resources: Iterable[Resource]) -> list[Finding]:
        """Evaluate the rules that need the whole stack."""
        stack = Stack(list(resources))
        return [f for resource in stack.resources for f in self._judged(resource, (stack,))]

    def _judged(self, resource: Resource, stack: tuple[Stack, ...]) -> list[Finding]:
        """Evaluate all rules on a resource. Rules with the same view share it."""
        views: dict[Any, list[Any]] = {}
        findings: list[Finding] = []
        for rule, view, judge, given in self._checks_for(resource.type, over_stack=bool(stack)):
            found: list[str] = []
            try:
                if view not in views:
                    views[view] = list(view(resource))
                for subject in views[view]:
                    found.extend(judge(subject, *stack, *given))
            except Exception as error:
                findings.append(self._failed(rule, resource, error))
            if found:
                messages = tuple(dict.fromkeys(map(str, found)))
                findings.append(self._finding(rule, resource, Verdict.VIOLATION, messages))
        return findings

    def _checks_for(self, type_: str, *, over_stack: bool) -> list[_Check]:
        """Return the rules for a type, each with its view, function and parameters."""
        key = (type_, over_stack)
        if key not in self._by_type:
            self._by_type[key] = [
                (rule, rule.selector.view, rule.judge, self._given(rule))
                for rule in self.rules.values()
                if rule.over_stack == over_stack
                and self._levels[rule.id] is not Level.DISABLED
                and rule.selector.matches(type_)
            ]
        return self._by_type[key]

    def _given(self, rule: Rule) -> tuple[Settings, ...]:
        own = self._parameters.get(rule.id)
        return () if own is None else (own,)

    def _failed(self, rule: Rule, resource: Resource, error: Exception) -> Finding:
        if isinstance(error, UnknownError):
            return self._finding(rule, resource, Verdict.UNKNOWN, (error.path,))
        reason = str(error)
        if not isinstance(error, MalformedInputError):
            reason = f"{type(error).__name__}: {error}".rstrip(": ")
        return self._finding(rule, resource, Verdict.BROKEN, (reason,))

    def _finding(
        self, rule: Rule, resource: Resource, verdict: Verdict, messages: tuple[str, ...]
    ) -> Finding:
        waivers = self.waivers
        if not waivers.of_rule and not waivers.expired:
            return Finding(rule, resource, verdict, messages)
        return Finding(
            rule,
            resource,
            verdict,
            messages,
            waivers.find(rule.id, resource),
            waivers.find_expired(rule.id, resource),
        )
