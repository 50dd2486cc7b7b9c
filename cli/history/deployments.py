"""Deployments of an environment, put together from the histories of its layers' stacks.

The backend keeps a history for each stack, with the configuration and the commit of each update.
Updates with the same configuration and commit, one after another, are one deployment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

Json = dict[str, Any]
_KINDS = ("update", "destroy")
_PAUSE = timedelta(minutes=30)
"""Updates of one deployment follow each other within this time."""


@dataclass(frozen=True, slots=True)
class Update:
    """One update of one layer, as its stack's history has it."""

    layer: str
    kind: str
    started: datetime
    ended: datetime
    result: str
    changes: Mapping[str, int]
    commit: str
    is_dirty: bool
    """Whether files differed from the commit."""
    who: str
    message: str
    configuration: Mapping[str, Any]
    """`namespace:key` to a value; None for what has a secret."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """Updates of layers with one configuration."""

    number: int
    """From 1, the oldest that the backend knows."""
    updates: Sequence[Update]

    @property
    def last(self) -> Update:
        """The last update."""
        return self.updates[-1]

    @property
    def layers(self) -> list[str]:
        """The layers in the order of their first updates."""
        return list(dict.fromkeys(update.layer for update in self.updates))

    @property
    def result(self) -> str:
        """`succeeded`, or the result of a layer whose last update did not."""
        last = {update.layer: update.result for update in self.updates}
        return next((result for result in last.values() if result != "succeeded"), "succeeded")

    @property
    def changes(self) -> dict[str, int]:
        """Counts of what was done, without what stayed the same."""
        found: dict[str, int] = {}
        for update in self.updates:
            for kind, count in update.changes.items():
                if kind != "same" and count:
                    found[kind] = found.get(kind, 0) + count
        return found


def update(layer: str, content: Json) -> Update | None:
    """An update from an entry of `pulumi stack history --json`; None for what changes nothing."""
    if content.get("kind") not in _KINDS:
        return None
    about = content.get("environment") or {}
    started = _time(content.get("startTime"))
    return Update(
        layer=layer,
        kind=content["kind"],
        started=started,
        ended=_time(content.get("endTime"), started),
        result=content.get("result") or "unknown",
        changes=content.get("resourceChanges") or {},
        commit=about.get("git.head") or "",
        is_dirty=about.get("git.dirty") == "true",
        who=about.get("git.author") or about.get("git.committer") or "",
        message=content.get("message") or "",
        configuration={
            key: None if value.get("secret") else value.get("objectValue", value.get("value"))
            for key, value in (content.get("config") or {}).items()
        },
    )


def deployments(updates: Sequence[Update]) -> list[Deployment]:
    """The deployments that the updates of all layers make up, the oldest first."""
    groups: list[list[Update]] = []
    for one in sorted(updates, key=lambda each: (each.started, each.ended)):
        if groups and _continues(groups[-1], one):
            groups[-1].append(one)
        else:
            groups.append([one])
    return [Deployment(number, group) for number, group in enumerate(groups, start=1)]


def _continues(group: Sequence[Update], one: Update) -> bool:
    """Whether an update belongs to the deployment so far.

    Within one deployment a layer may be updated twice, but not the first again after it succeeded.
    """
    last, first = group[-1], group[0]
    is_same = (last.kind, last.commit, last.is_dirty) == (one.kind, one.commit, one.is_dirty)
    starts_again = one.layer == first.layer and any(
        each.layer == one.layer and each.result == "succeeded" for each in group
    )
    return (
        is_same
        and last.configuration == one.configuration
        and one.started - last.ended <= _PAUSE
        and not starts_again
    )


def _time(text: object, default: datetime | None = None) -> datetime:
    try:
        return datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return default or datetime.fromtimestamp(0, UTC)
