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
from policies.crossguard import ResourceArgs, ResourcePolicy, RulePolicy, StackArgs, policy
from policies.places import Place
from policies.rule import Level, Rule, Stack
from policies.settings import RuleSettings
from policies.subjects import Path, Resource
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
        self.waivers = waivers or Waivers.none()
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
                rule.selector.matches(type_) and not rule.selector.matches(_NO_TYPE)
                for rule in self.rules.values()
            )
        return self._judged_types[type_]

    def judge(self, resource: Resource) -> list[Finding]:
        """Evaluate the rules that need one resource only."""
        return self._judged([ResourceArgs(resource)], over_stack=False)

    def judge_stack(self, resources: Iterable[Resource]) -> list[Finding]:
        """Evaluate the rules that need the whole stack."""
        return self._within([ResourceArgs(one) for one in resources])

    def judge_all(self, resources: Iterable[Resource]) -> list[Finding]:
        """Evaluate all rules. Rules of both kinds share the views of a resource."""
        subjects = [ResourceArgs(one) for one in resources]
        return self._judged(subjects, over_stack=False) + self._within(subjects)

    def _within(self, subjects: list[ResourceArgs]) -> list[Finding]:
        stack = Stack([one.resource for one in subjects])
        chosen = [one for one in subjects if self._policies_for(one.resource.type, over_stack=True)]
        return self._judged([StackArgs(stack, one) for one in chosen], over_stack=True)

    def _judged(
        self, subjects: Sequence[ResourceArgs | StackArgs], *, over_stack: bool
    ) -> list[Finding]:
        """Return the findings by subject, and of each in the order of the rules.

        A rule judges all resources of a type one after the other, which is faster than all rules
        on one resource after the other: the rule stays in the processor's cache.
        """
        found: list[list[Finding]] = [[] for _ in subjects]
        by_type: dict[str, list[tuple[Any, list[Finding]]]] = {}
        for args, findings in zip(subjects, found, strict=True):
            type_ = _subject(args).resource.type
            by_type.setdefault(type_, []).append((args, findings))
        messages: list[str] = []
        for type_, group in by_type.items():
            for one in self._policies_for(type_, over_stack=over_stack):
                judge = one.judge
                for args, findings in group:
                    try:
                        judge(args, messages)
                    except Exception as error:
                        verdict, message = _failure(error)
                        findings.append(self._finding(one, args, verdict, (message,)))
                    if messages:
                        unique = tuple(dict.fromkeys(map(str, messages)))
                        messages.clear()
                        findings.append(self._finding(one, args, Verdict.VIOLATION, unique))
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
                and one.rule.selector.matches(type_)
            ]
        return self._by_type[key]

    def _parameters(self) -> dict[str, Settings]:
        return {
            one.name: one.parameters for one in self.policies.values() if one.parameters is not None
        }

    def _finding(
        self, one: RulePolicy, args: Any, verdict: Verdict, messages: tuple[str, ...]
    ) -> Finding:
        rule, waivers = one.rule, self.waivers
        resource = _subject(args).resource
        found = places.find(one, args, messages)
        if waivers == _NO_WAIVERS:
            return Finding(rule, resource, verdict, messages, places=found)
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


def _subject(args: ResourceArgs | StackArgs) -> ResourceArgs:
    return args.subject if isinstance(args, StackArgs) else args


def _failure(error: Exception) -> tuple[Verdict, str]:
    if isinstance(error, UnknownError):
        return Verdict.UNKNOWN, error.path
    if isinstance(error, NotApplicableError):
        return Verdict.NOT_APPLICABLE, str(error)
    if isinstance(error, MalformedInputError):
        return Verdict.BROKEN, str(error)
    return Verdict.BROKEN, f"{type(error).__name__}: {error}".rstrip(": ")
