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
from policies.subjects import Path, Resource
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
        self._by_type: dict[tuple[str, bool], list[Rule]] = {}

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
        for rule in self._rules_for(resource.type, over_stack=False):
            if self._levels[rule.id] is not Level.REMEDIATE or rule.repair is None:
                continue
            if self.waivers.find(rule.id, resource) is not None:
                continue
            try:
                for path, value in rule.repair(resource, *self._given(rule)):
                    mended.append(Mending(rule, path, value))
            except Exception:  # noqa: S112 (what cannot be repaired is judged, and told of, by `judge`)
                continue
        return mended

    def judge(self, resource: Resource) -> list[Finding]:
        """All findings about one resource by itself."""
        views: dict[Any, list[Any]] = {}
        findings: list[Finding] = []
        for rule in self._rules_for(resource.type, over_stack=False):
            findings += self._findings(rule, resource, _viewed(rule, resource, views), ())
        return findings

    def judge_stack(self, resources: Iterable[Resource]) -> list[Finding]:
        """All findings that need the whole stack."""
        stack = Stack(list(resources))
        findings: list[Finding] = []
        for resource in stack.resources:
            for rule in self._rules_for(resource.type, over_stack=True):
                findings += self._findings(rule, resource, _viewed(rule, resource, {}), (stack,))
        return findings

    def _rules_for(self, type_: str, *, over_stack: bool) -> list[Rule]:
        key = (type_, over_stack)
        if key not in self._by_type:
            self._by_type[key] = [
                rule
                for rule in self.rules.values()
                if rule.over_stack == over_stack
                and self._levels[rule.id] is not Level.DISABLED
                and rule.selector.matches(type_)
            ]
        return self._by_type[key]

    def _given(self, rule: Rule) -> tuple[Settings, ...]:
        held = self._parameters.get(rule.id)
        return () if held is None else (held,)

    def _findings(
        self,
        rule: Rule,
        resource: Resource,
        view: Callable[[], list[Any]],
        stack: tuple[Any, ...],
    ) -> Iterator[Finding]:
        """At most one finding a verdict: a rule speaks once about a resource."""
        said: list[str] = []
        judge, rest = rule.judge, stack + self._given(rule)
        try:
            for subject in view():
                said.extend(judge(subject, *rest))
        except UnknownError as error:
            yield self._finding(rule, resource, Verdict.UNKNOWN, (error.path,))
        except OddInputError as error:
            yield self._finding(rule, resource, Verdict.BROKEN, (str(error),))
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".rstrip(": ")
            yield self._finding(rule, resource, Verdict.BROKEN, (reason,))
        if said:
            messages = tuple(dict.fromkeys(map(str, said)))
            yield self._finding(rule, resource, Verdict.VIOLATION, messages)

    def _finding(
        self, rule: Rule, resource: Resource, verdict: Verdict, messages: tuple[str, ...]
    ) -> Finding:
        return Finding(
            rule,
            resource,
            verdict,
            messages,
            self.waivers.find(rule.id, resource),
            self.waivers.lapsed(rule.id, resource),
        )


def _viewed(rule: Rule, resource: Resource, views: dict[Any, list[Any]]) -> Callable[[], list[Any]]:
    """The rule's view of the resource, made once for all rules that share it."""

    def view() -> list[Any]:
        make = rule.selector.view
        if make not in views:
            views[make] = list(make(resource))
        return views[make]

    return view
