"""Waivers: a rule that a named resource may break in named environments, until a date.

    waivers:
      - rule: no-bucket-is-public
        resource: "gcp:storage/bucketIAMMember:BucketIAMMember::static-files-public"
        environments: [dev]
        reason: the demonstration's pictures are for everybody
        owner: ml-platform
        expires: 2027-03-31

They stand in `policies/waivers.yaml`, so that each is reviewed as any change is. A waiver that is
not understood stops the pack; one that has expired is a violation itself. This module reads and
matches; what becomes of a finding that is waived is the pack's matter.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from gkeplatform.config import Settings, suggestion
from gkeplatform.errors import PlatformError
from policies.subjects import Resource

FILE = Path("policies/waivers.yaml")
LONGEST = timedelta(days=366)
"""A waiver that is to hold for longer is a level or a parameter of the environment."""


class Waiver(Settings):
    """One waiver, as the file has it."""

    rule: Annotated[str, Meta(description="The rule's id.")]
    resource: Annotated[
        str,
        Meta(
            min_length=2,
            description="`type::name` of the resource, or its name alone; `*` stands for any text.",
        ),
    ]
    environments: Annotated[
        tuple[str, ...], Meta(min_length=1, description="Where it holds: dev, stage, prod.")
    ]
    reason: Annotated[str, Meta(min_length=10, description="Why the rule may be broken here.")]
    owner: Annotated[str, Meta(min_length=2, description="The team that answers for it.")]
    expires: Annotated[date, Meta(description="The last day that it holds, as YYYY-MM-DD.")]

    def __post_init__(self) -> None:
        if not self.resource.strip("*: "):
            raise ValueError(
                f'resource "{self.resource}" is every resource; name one, or set the rule\'s level'
            )

    def is_for(self, resource: Resource) -> bool:
        """Whether the resource is the one that is meant."""
        full = f"{resource.type}::{resource.name}"
        return fnmatchcase(full if "::" in self.resource else resource.name, self.resource)

    def shown(self) -> str:
        """The waiver in a message."""
        return f"until {self.expires} by {self.owner}: {self.reason}"


class _File(Settings):
    waivers: tuple[Waiver, ...] = ()


@dataclass(frozen=True, slots=True)
class Waivers:
    """The waivers of one environment on one day."""

    of_rule: Mapping[str, Sequence[Waiver]]
    expired: Sequence[Waiver] = ()

    @classmethod
    def none(cls) -> "Waivers":
        """No waivers at all."""
        return cls({})

    def find(self, rule: str, resource: Resource) -> Waiver | None:
        """The waiver that holds for a rule and a resource."""
        return next((w for w in self.of_rule.get(rule, ()) if w.is_for(resource)), None)

    def lapsed(self, rule: str, resource: Resource) -> Waiver | None:
        """The waiver that would hold if it had not expired."""
        return next((w for w in self.expired if w.rule == rule and w.is_for(resource)), None)


def in_force(waivers: Iterable[Waiver], environment: str, today: date) -> Waivers:
    """Those of the environment, the ones that hold apart from the ones that have expired."""
    own = [waiver for waiver in waivers if environment in waiver.environments]
    of_rule: dict[str, list[Waiver]] = {}
    for waiver in own:
        if waiver.expires >= today:
            of_rule.setdefault(waiver.rule, []).append(waiver)
    return Waivers(of_rule, [waiver for waiver in own if waiver.expires < today])


def read(
    root: Path, *, rules: Iterable[str], environments: Iterable[str], today: date
) -> tuple[Waiver, ...]:
    """The waivers of the repository; PlatformError names the file and the entry that is wrong."""
    import yaml  # noqa: PLC0415 (most judging needs no waiver file)

    try:
        text = (root / FILE).read_text()
    except FileNotFoundError:
        return ()
    try:
        given: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise PlatformError(f"{FILE}: not YAML: {' '.join(str(error).split())}") from None
    try:
        found = msgspec.convert(given if given is not None else {}, _File).waivers
    except msgspec.ValidationError as error:
        raise PlatformError(f"{FILE}: {_words(str(error))}") from None
    known, places = sorted(rules), sorted(environments)
    for index, waiver in enumerate(found):
        _check(f"{FILE}: waivers[{index}]", waiver, known, places, today)
    return found


def _check(
    where: str, waiver: Waiver, rules: Sequence[str], environments: Sequence[str], today: date
) -> None:
    if waiver.rule not in rules:
        hint = suggestion(waiver.rule, rules) if len(rules) < 20 else _near(waiver.rule, rules)
        raise PlatformError(f'{where}.rule: no rule is called "{waiver.rule}"; {hint}')
    for name in waiver.environments:
        if name not in environments:
            raise PlatformError(
                f'{where}.environments: there is no environment "{name}"; '
                f"{suggestion(name, environments)}"
            )
    if waiver.expires > today + LONGEST:
        raise PlatformError(
            f"{where}.expires: {waiver.expires} is more than a year ahead; at most "
            f"{today + LONGEST}, or set the rule's level for the environment"
        )


def _near(rule: str, rules: Sequence[str]) -> str:
    import difflib  # noqa: PLC0415 (for an error only)

    near = difflib.get_close_matches(rule, rules, n=1)
    meant = f'did you mean "{near[0]}"? ' if near else ""
    return f"{meant}`./platformctl policy list` has them all"


def _words(message: str) -> str:
    """Msgspec's message with the place first: `waivers[0].expires: …`."""
    what, _, place = message.partition(" - at `$")
    return f"{place.rstrip('`').lstrip('.')}: {what}" if place else what
