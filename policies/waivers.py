"""Waivers: exceptions to a rule for a named resource in named environments, until a date.

    waivers:
      - rule: no-bucket-is-public
        resource: "gcp:storage/bucketIAMMember:BucketIAMMember::static-files-public"
        environments: [dev]
        reason: the demo's images are public
        owner: ml-platform
        expires: 2027-03-31

They are listed in `policies/waivers.yaml` and reviewed like any other change. An invalid waiver
stops the pack; an expired waiver is itself a violation. This module reads and matches waivers;
`policies.pack` attaches them to findings.
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
from policies.former_ids import current_id
from policies.subjects import Resource

FILE = Path("policies/waivers.yaml")
MAX_DURATION = timedelta(days=366)
"""Longest lifetime of a waiver. For longer, set the rule's level or parameters instead."""


class Waiver(Settings):
    """One entry of the waiver file."""

    rule: Annotated[str, Meta(description="The rule's id.")]
    resource: Annotated[
        str,
        Meta(
            min_length=2,
            description="`type::name` of the resource, or its name; `*` matches any text.",
        ),
    ]
    environments: Annotated[
        tuple[str, ...], Meta(min_length=1, description="Environments that it applies to.")
    ]
    reason: Annotated[str, Meta(min_length=10, description="Why the exception is acceptable.")]
    owner: Annotated[str, Meta(min_length=2, description="The team that owns the waiver.")]
    expires: Annotated[date, Meta(description="Last day of validity, as YYYY-MM-DD.")]

    def __post_init__(self) -> None:
        if not self.resource.strip("*: "):
            raise ValueError(
                f'resource "{self.resource}" matches every resource; name one, or set the '
                "rule's level"
            )

    def matches(self, resource: Resource) -> bool:
        """Whether the waiver applies to the resource."""
        full = f"{resource.type}::{resource.name}"
        return fnmatchcase(full if "::" in self.resource else resource.name, self.resource)

    def describe(self) -> str:
        """The waiver as text for messages."""
        return f"until {self.expires} by {self.owner}: {self.reason}"


class _File(Settings):
    waivers: tuple[Waiver, ...] = ()


@dataclass(frozen=True, slots=True)
class Waivers:
    """Valid and expired waivers of one environment, and the valid ones of others."""

    of_rule: Mapping[str, Sequence[Waiver]]
    expired: Sequence[Waiver] = ()
    elsewhere: Sequence[Waiver] = ()

    @classmethod
    def none(cls) -> "Waivers":
        """Return an empty set of waivers."""
        return cls({})

    def find(self, rule: str, resource: Resource) -> Waiver | None:
        """Return the valid waiver for a rule and a resource, if any."""
        return next((w for w in self.of_rule.get(rule, ()) if w.matches(resource)), None)

    def find_expired(self, rule: str, resource: Resource) -> Waiver | None:
        """Return the expired waiver for a rule and a resource, if any."""
        return next((w for w in self.expired if w.rule == rule and w.matches(resource)), None)

    def environments_elsewhere(self, rule: str, resource: Resource) -> tuple[str, ...]:
        """Return the other environments where the rule is waived for the resource."""
        found = (w for w in self.elsewhere if w.rule == rule and w.matches(resource))
        return tuple(dict.fromkeys(name for waiver in found for name in waiver.environments))


def in_force(waivers: Iterable[Waiver], environment: str, today: date) -> Waivers:
    """Select an environment's waivers and split them into valid and expired ones."""
    own: list[Waiver] = []
    elsewhere: list[Waiver] = []
    for waiver in waivers:
        if environment in waiver.environments:
            own.append(waiver)
        elif waiver.expires >= today:
            elsewhere.append(waiver)
    of_rule: dict[str, list[Waiver]] = {}
    for waiver in own:
        if waiver.expires >= today:
            of_rule.setdefault(waiver.rule, []).append(waiver)
    return Waivers(of_rule, [waiver for waiver in own if waiver.expires < today], elsewhere)


def read(
    root: Path, *, rules: Iterable[str], environments: Iterable[str], today: date
) -> tuple[Waiver, ...]:
    """Read the waiver file. Raises PlatformError, which names the file and the entry."""
    import yaml  # noqa: PLC0415 (not needed by most callers)

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
        raise PlatformError(f"{FILE}: {_with_location_first(str(error))}") from None
    known, names = sorted(rules), sorted(environments)
    current = []
    for index, entry in enumerate(found):
        where = f"{FILE}: waivers[{index}]"
        waiver = msgspec.structs.replace(entry, rule=current_id(entry.rule, f"{where}.rule"))
        _check(where, waiver, known, names, today)
        current.append(waiver)
    return tuple(current)


def _check(
    where: str, waiver: Waiver, rules: Sequence[str], environments: Sequence[str], today: date
) -> None:
    if waiver.rule not in rules:
        hint = suggestion(waiver.rule, rules) if len(rules) < 20 else _near(waiver.rule, rules)
        raise PlatformError(f'{where}.rule: there is no rule "{waiver.rule}"; {hint}')
    for name in waiver.environments:
        if name not in environments:
            raise PlatformError(
                f'{where}.environments: there is no environment "{name}"; '
                f"{suggestion(name, environments)}"
            )
    if waiver.expires > today + MAX_DURATION:
        raise PlatformError(
            f"{where}.expires: {waiver.expires} is more than a year ahead; set a date up to "
            f"{today + MAX_DURATION}, or set the rule's level for the environment"
        )


def _near(rule: str, rules: Sequence[str]) -> str:
    import difflib  # noqa: PLC0415 (only for an error message)

    near = difflib.get_close_matches(rule, rules, n=1)
    meant = f'did you mean "{near[0]}"? ' if near else ""
    return f"{meant}`./platformctl policy list` lists all rules"


def _with_location_first(message: str) -> str:
    """Put the location first in a msgspec message: `waivers[0].expires: …`."""
    what, _, location = message.partition(" - at `$")
    return f"{location.rstrip('`').lstrip('.')}: {what}" if location else what
