"""`Pack`: runs the rules' policies on resources and returns findings.

It neither serves nor prints, so the engine's analyzer and `policies.check` share it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from gkeplatform.config import Settings
from gkeplatform.errors import PlatformError
from policies import places
from policies.crossguard import ResourcePolicy, RulePolicy, policy
from policies.judged_resource import JudgedResource, UnreadableView
from policies.places import Place
from policies.rule import Level, Rule, Stack
from policies.settings import RuleSettings
from policies.subjects import Path, Resource, View, is_selected
from policies.values import MalformedInputError, NotApplicableError, UnknownError
from policies.waivers import Waiver, Waivers


class Verdict(Enum):
    """The kind of a finding."""

    VIOLATION = "violation"
    BROKEN = "broken"
    """The rule failed on the resource; counted as a violation."""
    UNKNOWN = "unknown"
    """The rule depends on a value that is not known before the update."""
    NOT_APPLICABLE = "not applicable"
    """The resource's source cannot answer the rule's question; not a violation."""


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
    waived_elsewhere: tuple[str, ...] = ()
    """The other environments where a waiver applies; it changes nothing here."""
    places: tuple[Place, ...] = ()
    """The place of each message, if the resource was read from a file."""


@dataclass(frozen=True, slots=True)
class Remediation:
    """A value that a rule sets to repair a resource."""

    rule: Rule
    path: Path
    value: Any


_Viewed = tuple[Iterable[Any], JudgedResource, list[Finding]]
_NO_WAIVERS = Waivers.none()
_NO_TYPE = "kubernetes:none.example/v1:None"


class Pack:
    """The policies of rules, with the levels, parameters and waivers of one stack."""

    def __init__(
        self,
        rules: Sequence[Rule],
        levels: Mapping[str, Level] | None = None,
        parameters: Mapping[str, Settings] | None = None,
        waivers: Waivers | None = None,
        known: Mapping[str, RulePolicy] | None = None,
    ) -> None:
        """`known` are policies of the same rules; those that stay as they are are shared."""
        self.rules = {rule.id: rule for rule in rules}
        if len(self.rules) != len(rules):
            ids = [rule.id for rule in rules]
            raise PlatformError(f"two rules have the id {max(ids, key=ids.count)}")
        self.waivers = waivers or _NO_WAIVERS
        levels, parameters = levels or {}, parameters or {}
        self.policies: dict[str, RulePolicy] = {
            rule.id: policy(
                rule,
                levels.get(rule.id),
                parameters.get(rule.id),
                known.get(rule.id) if known else None,
            )
            for rule in rules
        }
        self._judged_types: dict[str, bool] = {}
        self._by_type: dict[tuple[str, bool], list[RulePolicy]] = {}

    def level(self, rule: Rule) -> Level:
        """Return the level of a rule."""
        return self.policies[rule.id].level

    def with_levels(self, levels: Mapping[str, Level]) -> "Pack":
        """Return a copy with other levels for some rules."""
        return self.with_settings(RuleSettings(levels))

    def with_settings(self, settings: RuleSettings, waivers: Waivers | None = None) -> "Pack":
        """Return a copy with an environment's levels, parameters and waivers."""
        return Pack(
            list(self.rules.values()),
            {one.name: one.level for one in self.policies.values()} | dict(settings.levels),
            self._parameters() | dict(settings.parameters),
            self.waivers if waivers is None else waivers,
            self.policies,
        )

    def only(self, rule: str) -> "Pack":
        """Return a copy with one rule, its level, parameters and waivers."""
        one = self.policies[rule]
        return Pack([one.rule], {rule: one.level}, self._parameters(), self.waivers)

    def remediations(self, resource: Resource) -> list[Remediation]:
        """Return the values that rules at level `remediate` set on a resource."""
        remediations: list[Remediation] = []
        for one in self._policies_for(resource.type, over_stack=False):
            if one.level is not Level.REMEDIATE or not isinstance(one, ResourcePolicy):
                continue
            if self.waivers.find(one.name, resource) is not None:
                continue
            try:
                repairs = one.repairs(resource)
            except Exception:  # noqa: S112 (`judge` reports what cannot be repaired)
                continue
            remediations += [Remediation(one.rule, path, value) for path, value in repairs]
        return remediations

    def judges(self, type_: str) -> bool:
        """Whether a rule is for a type of resource. Rules for all types do not count."""
        if type_ not in self._judged_types:
            self._judged_types[type_] = any(
                is_selected(matches, type_) and not is_selected(matches, _NO_TYPE)
                for matches in {rule.selector.matches: None for rule in self.rules.values()}
            )
        return self._judged_types[type_]

    def judge(self, resource: Resource) -> list[Finding]:
        """Evaluate the rules that need one resource only."""
        return self._judged([JudgedResource(resource)], None)

    def judge_stack(self, resources: Iterable[Resource]) -> list[Finding]:
        """Evaluate the rules that need the whole stack."""
        judged = [JudgedResource(one) for one in resources]
        return self._judged(judged, Stack([one.resource for one in judged]))

    def judge_all(self, resources: Iterable[Resource]) -> list[Finding]:
        """Evaluate all rules. Rules of both kinds share the views of a resource."""
        judged = [JudgedResource(one) for one in resources]
        stack = Stack([one.resource for one in judged])
        return self._judged(judged, None) + self._judged(judged, stack)

    def _judged(self, resources: Sequence[JudgedResource], stack: Stack | None) -> list[Finding]:
        """Return the findings by resource, and of each in the order of the rules.

        Without a stack: those of the rules that need one resource only. With one: the others.
        A rule judges all resources of a type one after the other, which is faster than all rules
        on one resource after the other: the rule stays in the processor's cache.
        """
        found: list[list[Finding]] = [[] for _ in resources]
        by_type: dict[str, list[tuple[JudgedResource, list[Finding]]]] = {}
        for one, findings in zip(resources, found, strict=True):
            by_type.setdefault(one.resource.type, []).append((one, findings))
        messages: list[str] = []
        for type_, group in by_type.items():
            by_view: dict[View, list[_Viewed]] = {}
            for policy_ in self._policies_for(type_, over_stack=stack is not None):
                view, judge = policy_.rule.selector.view, policy_.rule.judge
                if (viewed := by_view.get(view)) is None:
                    viewed = by_view[view] = _viewed(group, view)
                given = policy_.given if stack is None else (stack, *policy_.given)
                # The innermost loop of a check: it runs for every rule and resource.
                for subjects, one, findings in viewed:
                    try:
                        for subject in subjects:
                            messages += judge(subject, *given)
                    except Exception as error:
                        verdict, message = _failure(error)
                        findings.append(self._finding(policy_, one, stack, verdict, (message,)))
                    if messages:
                        unique = tuple(dict.fromkeys(map(str, messages)))
                        messages.clear()
                        findings.append(
                            self._finding(policy_, one, stack, Verdict.VIOLATION, unique)
                        )
        return [finding for findings in found for finding in findings]

    def _policies_for(self, type_: str, *, over_stack: bool) -> list[RulePolicy]:
        """Return the policies that are not disabled for a type of resource."""
        key = (type_, over_stack)
        if key not in self._by_type:
            self._by_type[key] = [
                one
                for one in self.policies.values()
                if one.rule.over_stack == over_stack
                and one.level is not Level.DISABLED
                and is_selected(one.rule.selector.matches, type_)
            ]
        return self._by_type[key]

    def _parameters(self) -> dict[str, Settings]:
        return {
            one.name: one.parameters for one in self.policies.values() if one.parameters is not None
        }

    def _finding(
        self,
        one: RulePolicy,
        judged: JudgedResource,
        stack: Stack | None,
        verdict: Verdict,
        messages: tuple[str, ...],
    ) -> Finding:
        rule, waivers, resource = one.rule, self.waivers, judged.resource
        found = places.find(one, judged, stack, messages)
        if waivers is _NO_WAIVERS:
            return Finding(rule, resource, verdict, messages, None, None, (), found)
        return Finding(
            rule,
            resource,
            verdict,
            messages,
            waivers.find(rule.id, resource),
            waivers.find_expired(rule.id, resource),
            waivers.environments_elsewhere(rule.id, resource),
            found,
        )


def _viewed(group: Sequence[tuple[JudgedResource, list[Finding]]], view: View) -> list[_Viewed]:
    """Return what a view shows of each resource; without those where it shows nothing."""
    viewed: list[_Viewed] = []
    for one, findings in group:
        subjects: Iterable[Any]
        try:
            subjects = one.viewed(view)
            if not subjects:
                continue
        except Exception:  # each rule reports it
            subjects = UnreadableView(one, view)
        viewed.append((subjects, one, findings))
    return viewed


def _failure(error: Exception) -> tuple[Verdict, str]:
    if isinstance(error, UnknownError):
        return Verdict.UNKNOWN, error.path
    if isinstance(error, NotApplicableError):
        return Verdict.NOT_APPLICABLE, str(error)
    if isinstance(error, MalformedInputError):
        return Verdict.BROKEN, str(error)
    return Verdict.BROKEN, f"{type(error).__name__}: {error}".rstrip(": ")
