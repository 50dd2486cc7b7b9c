"""The judge: every rule over every resource, each resource read once.

It is given resources and levels and returns findings. It neither serves nor prints, so it is the
same for the engine's previews and updates and for any other reader of findings.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from gkeplatform.config import Settings
from gkeplatform.errors import PlatformError
from policies.rule import Level, Rule, Stack
from policies.settings import Chosen
from policies.subjects import Path, Resource, View
from policies.values import OddInputError, UnknownError
from policies.waivers import Waiver, Waivers


class Verdict(Enum):
    """What a finding says."""

    VIOLATION = "violation"
    BROKEN = "broken"
    """The rule could not cope with the resource: counted as a violation."""
    UNKNOWN = "unknown"
    """The rule depends on a value that is not known yet."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule has to say about one resource."""

    rule: Rule
    resource: Resource
    verdict: Verdict
    messages: tuple[str, ...]
    waiver: Waiver | None = None
    """Why it stops nothing here."""
    lapsed: Waiver | None = None
    """The waiver that stopped holding."""


@dataclass(frozen=True, slots=True)
class Mending:
    """A value that a rule put right."""

    rule: Rule
    path: Path
    value: Any


_Step = tuple[Rule, View, Callable[..., Iterator[str]], tuple[Settings, ...]]


class Pack:
    """Rules with the levels, parameters and waivers that hold for one stack."""

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
            raise PlatformError(f"two rules are called {max(ids, key=ids.count)}")
        self.waivers = waivers or Waivers.none()
        self._levels = {rule.id: rule.level for rule in rules} | dict(levels or {})
        self._parameters = {
            rule.id: rule.parameters() for rule in rules if rule.parameters is not None
        } | dict(parameters or {})
        self._by_type: dict[tuple[str, bool], list[_Step]] = {}

    def level(self, rule: Rule) -> Level:
        """The level that holds for a rule."""
        return self._levels[rule.id]

    def with_levels(self, levels: Mapping[str, Level]) -> "Pack":
        """The same rules, with other levels for some of them."""
        return self.chosen(Chosen(levels))

    def chosen(self, chosen: Chosen, waivers: Waivers | None = None) -> "Pack":
        """The same rules, with what an environment has chosen for some of them."""
        return Pack(
            list(self.rules.values()),
            self._levels | dict(chosen.levels),
            self._parameters | dict(chosen.parameters),
            self.waivers if waivers is None else waivers,
        )

    def only(self, rule: str) -> "Pack":
        """One rule alone, with all that holds for it."""
        held = self._parameters.get(rule)
        parameters = {} if held is None else {rule: held}
        levels = {rule: self._levels[rule]}
        return Pack([self.rules[rule]], levels, parameters, self.waivers)

    def repairs(self, resource: Resource) -> list[Mending]:
        """What the rules at level `remediate` put right about a resource."""
        mended: list[Mending] = []
        for rule, _, _, given in self._steps_for(resource.type, over_stack=False):
            if self._levels[rule.id] is not Level.REMEDIATE or rule.repair is None:
                continue
            if self.waivers.find(rule.id, resource) is not None:
                continue
            try:
                for path, value in rule.repair(resource, *given):
                    mended.append(Mending(rule, path, value))
            except Exception:  # noqa: S112 (what cannot be repaired is judged, and told of, by `judge`)
                continue
        return mended

    def judge(self, resource: Resource) -> list[Finding]:
        """All findings about one resource by itself."""
        return self._judged(resource, ())

    def judge_stack(self, resources: Iterable[Resource]) -> list[Finding]:
        """All findings that need the whole stack."""
        stack = Stack(list(resources))
        return [f for resource in stack.resources for f in self._judged(resource, (stack,))]

    def _judged(self, resource: Resource, stack: tuple[Stack, ...]) -> list[Finding]:
        """Every rule over the resource, and each view of it made once for all that share it."""
        views: dict[Any, list[Any]] = {}
        findings: list[Finding] = []
        for rule, make, judge, given in self._steps_for(resource.type, over_stack=bool(stack)):
            said: list[str] = []
            try:
                if make not in views:
                    views[make] = list(make(resource))
                for subject in views[make]:
                    said.extend(judge(subject, *stack, *given))
            except Exception as error:
                findings.append(self._unjudged(rule, resource, error))
            if said:
                messages = tuple(dict.fromkeys(map(str, said)))
                findings.append(self._finding(rule, resource, Verdict.VIOLATION, messages))
        return findings

    def _steps_for(self, type_: str, *, over_stack: bool) -> list[_Step]:
        """The rules for a type, each with all that judging by it takes."""
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
        held = self._parameters.get(rule.id)
        return () if held is None else (held,)

    def _unjudged(self, rule: Rule, resource: Resource, error: Exception) -> Finding:
        if isinstance(error, UnknownError):
            return self._finding(rule, resource, Verdict.UNKNOWN, (error.path,))
        reason = str(error)
        if not isinstance(error, OddInputError):
            reason = f"{type(error).__name__}: {error}".rstrip(": ")
        return self._finding(rule, resource, Verdict.BROKEN, (reason,))

    def _finding(
        self, rule: Rule, resource: Resource, verdict: Verdict, messages: tuple[str, ...]
    ) -> Finding:
        held = self.waivers
        if not held.of_rule and not held.expired:
            return Finding(rule, resource, verdict, messages)
        waiver, lapsed = held.find(rule.id, resource), held.lapsed(rule.id, resource)
        return Finding(rule, resource, verdict, messages, waiver, lapsed)
