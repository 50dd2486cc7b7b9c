"""Evaluation of the pack without the engine: resources in, a `Report` out.

`JudgedFinding.stops` applies the same levels and waivers as the engine's analyzer.
`policies.reports` formats a report.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from gkeplatform.environment import environments, file_of
from policies import settings, waivers
from policies.cluster_version import ClusterVersion
from policies.pack import Finding, Pack, Verdict
from policies.registry import RULES
from policies.rule import Level
from policies.subjects import Resource
from policies.values import Unknown, comparable_text

_CLUSTER = "gcp:container/cluster:Cluster"
_MINOR = re.compile(r"(1\.\d{1,3})\.")


@dataclass(frozen=True, slots=True)
class JudgedFinding:
    """A finding with the environment, layer and level that it was made under."""

    finding: Finding
    level: Level
    environment: str = ""
    layer: str = ""
    file: str = ""
    """The file that declares the resource, where it is not the environment's stack file."""
    line: int = 0
    """The line of that file or of the stack file; 0 where neither has an entry of its name."""
    deferred: bool = False
    """Whether the decision is left to the update, which evaluates unknown values again."""

    @property
    def stops(self) -> bool:
        """Whether the finding stops a deployment."""
        return self.level.stops and self.finding.waiver is None and not self.deferred


@dataclass(slots=True)
class Report:
    """Findings, and the number of resources that were evaluated."""

    findings: list[JudgedFinding] = field(default_factory=list)
    resources: int = 0
    sources: list[str] = field(default_factory=list)
    expired: list[waivers.Waiver] = field(default_factory=list)
    """Expired waivers of the environments; each counts as a violation."""
    unused: dict[waivers.Waiver, list[str]] = field(default_factory=dict)
    """The environments where a waiver waives nothing, of those that were judged."""
    unreadable: list[str] = field(default_factory=list)
    """A message for each file that could not be read; the others are judged."""
    unjudged: list[Resource] = field(default_factory=list)
    """Resources of kinds that no rule is for."""
    not_applicable: list[Finding] = field(default_factory=list)
    """Questions of rules that the sources cannot answer."""

    @property
    def is_clean(self) -> bool:
        """Whether nothing stops a deployment."""
        if self.unreadable:
            return False
        return not self.expired and not any(judged.stops for judged in self.findings)

    def add(self, other: "Report") -> None:
        """Merge another report into this one."""
        self.findings += other.findings
        self.resources += other.resources
        self.sources += other.sources
        self.unreadable += other.unreadable
        self.unjudged += other.unjudged
        self.not_applicable += other.not_applicable
        self.expired += [one for one in other.expired if one not in self.expired]
        for waiver, names in other.unused.items():
            self.unused.setdefault(waiver, []).extend(names)

    def counts(self) -> Counter[str]:
        """Count the findings by category."""
        return Counter(
            "waived"
            if judged.finding.waiver is not None
            else "unknown"
            if judged.finding.verdict is Verdict.UNKNOWN
            else "mandatory"
            if judged.level.stops
            else "advisory"
            for judged in self.findings
        )


def source_location(judged: JudgedFinding) -> tuple[str, int]:
    """Return the file and line to change: that of the first message, or of the stack file."""
    finding = judged.finding
    own = judged.file or file_of(judged.environment)
    line = finding.places[0].line if finding.places else finding.resource.line
    return finding.resource.file or own, line or judged.line or 1


def pack_for(environment: str, *, root: Path, today: date) -> Pack:
    """Return the pack with the levels, parameters and waivers of an environment.

    Without an environment: the rules' default levels and no waivers. Raises PlatformError.
    """
    pack = Pack(RULES)
    if not environment:
        return pack
    chosen = settings.for_environment(environment, root=root, rules=pack.rules)
    every = waivers.read(root, rules=pack.rules, environments=environments(root), today=today)
    return pack.with_settings(chosen, waivers.in_force(every, environment, today))


def judge(
    resources: Sequence[Resource], pack: Pack, *, environment: str = "", layer: str = ""
) -> Report:
    """Evaluate the pack on the resources of one stack or file set."""
    pack = _for_declared_cluster(pack, resources)
    findings = pack.judge_all(resources)
    judged = [
        JudgedFinding(finding, pack.level(finding.rule), environment, layer)
        for finding in findings
        if finding.verdict is not Verdict.NOT_APPLICABLE
    ]
    not_applicable = [one for one in findings if one.verdict is Verdict.NOT_APPLICABLE]
    source = "/".join(filter(None, (environment, layer)))
    return Report(
        judged,
        len(resources),
        [source] if source else [],
        expired=list(pack.waivers.expired),
        unjudged=[one for one in resources if not pack.judges(one.type)],
        not_applicable=not_applicable,
    )


def _for_declared_cluster(pack: Pack, resources: Sequence[Resource]) -> Pack:
    """Let rules follow the version of the cluster beside the objects, unless one is set."""
    minors = {
        found[1]
        for one in resources
        if one.type == _CLUSTER
        for key in ("currentMasterVersion", "minMasterVersion")
        if not isinstance(given := dict.get(one.props, key), Unknown)
        if (found := _MINOR.match(comparable_text(given)))
    }
    if len(minors) != 1:
        return pack
    stated = ClusterVersion(kubernetes=minors.pop())
    followers = {
        policy.name: stated
        for policy in pack.policies.values()
        if policy.parameters == ClusterVersion()
    }
    return pack.with_settings(settings.RuleSettings({}, followers))
