"""Judging without the engine: resources in, one report out, for people and for other tools.

It decides what stops (`Told.stops`) by the same levels and waivers as the engine's analyzer does;
`policies.reports` writes a report down.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from gkeplatform.environment import environments, file_of
from policies import settings, waivers
from policies.pack import Finding, Pack, Verdict
from policies.registry import RULES
from policies.rule import Level
from policies.subjects import Resource


@dataclass(frozen=True, slots=True)
class Told:
    """A finding with what it means where it was made."""

    finding: Finding
    level: Level
    environment: str = ""
    layer: str = ""
    file: str = ""
    """The file that declares the resource, where it is not the environment's stack file."""
    line: int = 0
    """The line of that file or of the stack file; 0 where neither has an entry of its name."""
    deferred: bool = False
    """Whether it is left to the update, which judges again what is not known before it."""

    @property
    def stops(self) -> bool:
        """Whether a deployment would be stopped by it."""
        return self.level.stops and self.finding.waiver is None and not self.deferred


@dataclass(slots=True)
class Report:
    """All that was told, and how much was judged."""

    told: list[Told] = field(default_factory=list)
    resources: int = 0
    sources: list[str] = field(default_factory=list)
    expired: list[waivers.Waiver] = field(default_factory=list)
    """Waivers that no longer hold, in the environments that were judged: violations too."""
    unused: list[waivers.Waiver] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether nothing stops."""
        return not self.expired and not any(told.stops for told in self.told)

    def add(self, other: "Report") -> None:
        """Take over another report."""
        self.told += other.told
        self.resources += other.resources
        self.sources += other.sources
        self.expired += [one for one in other.expired if one not in self.expired]

    def counts(self) -> Counter[str]:
        """How many findings of each sort."""
        return Counter(
            "waived"
            if told.finding.waiver is not None
            else "unknown"
            if told.finding.verdict is Verdict.UNKNOWN
            else "mandatory"
            if told.level.stops
            else "advisory"
            for told in self.told
        )


def place_of(told: Told) -> tuple[str, int]:
    """The file to change and its line: where it was read from, or the environment's stack file."""
    resource = told.finding.resource
    own = told.file or file_of(told.environment)
    return resource.file or own, resource.line or told.line or 1


def pack_for(environment: str, *, root: Path, today: date) -> Pack:
    """The pack with the levels, parameters and waivers of an environment.

    Without an environment: with the rules' own levels, and no waiver. Raises PlatformError.
    """
    pack = Pack(RULES)
    if not environment:
        return pack
    chosen = settings.of_environment(environment, root=root, rules=pack.rules)
    every = waivers.read(root, rules=pack.rules, environments=environments(root), today=today)
    return pack.chosen(chosen, waivers.in_force(every, environment, today))


def judge(
    resources: Sequence[Resource], pack: Pack, *, environment: str = "", layer: str = ""
) -> Report:
    """What the pack says about resources that belong together."""
    told = [
        Told(finding, pack.level(finding.rule), environment, layer)
        for finding in _findings(resources, pack)
    ]
    source = "/".join(filter(None, (environment, layer)))
    return Report(
        told, len(resources), [source] if source else [], expired=list(pack.waivers.expired)
    )


def _findings(resources: Sequence[Resource], pack: Pack) -> Iterable[Finding]:
    for resource in resources:
        yield from pack.judge(resource)
    yield from pack.judge_stack(resources)
