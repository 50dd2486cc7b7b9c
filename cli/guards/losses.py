"""What an update would replace or delete that an environment protects, found before it begins.

Pure functions over the engine's steps and a stack's exported state. The engine refuses as well, for
each resource when its turn comes; by then other resources have been changed.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cli import urns
from cli.errors import CliError, Exit, meant
from cli.steps import Step
from gkeplatform.environment import file_of
from gkeplatform.layers import Layer
from gkeplatform.protection import PROTECTED_TYPES, named

Json = Mapping[str, Any]
_OURS = re.compile(r'resource "(urn:pulumi:[^"]+)"\s+(as|cannot be deleted)\b')
_REFUSED = re.compile(r"marked for protection|cannot be deleted\s+because it is protected")
_DELETION_PROTECTION = "deletionProtection"


@dataclass(frozen=True, slots=True)
class Loss:
    """A resource that would be replaced or deleted."""

    layer: str
    name: str
    """Kind and name: `Bucket::models`."""
    is_deleted: bool
    reasons: tuple[str, ...] = ()
    """Property paths that force the replacement."""
    is_locked: bool = False
    """Whether its own `deletion_protection` is on, so that no flag of ours helps."""

    def __str__(self) -> str:
        what = "deleted" if self.is_deleted else "replaced"
        why = f", for {', '.join(self.reasons)}" if self.reasons else ""
        locked = "; its deletion_protection is on" if self.is_locked else ""
        return f"{self.layer:<12} {self.name} would be {what}{why}{locked}"


def of_steps(layer: Layer, steps: Iterable[Step]) -> list[Loss]:
    """What the planned steps of a layer lose."""
    found: dict[str, Loss] = {}
    for step in steps:
        if step.type not in PROTECTED_TYPES or not (step.is_replacement or step.op == "delete"):
            continue
        earlier = found.get(step.urn)
        reasons = step.replaces_for or (earlier.reasons if earlier else ())
        locked = _is_locked(step.old) or bool(earlier and earlier.is_locked)
        is_deleted = step.op == "delete" and earlier is None
        name = named(step.type, step.name)
        found[step.urn] = Loss(layer.name, name, is_deleted, reasons, locked)
    return list(found.values())


def of_state(layer: Layer, export: Json, kept: Collection[str] = ()) -> list[Loss]:
    """What is lost when the resources of a state are deleted, but for the URNs of `kept`."""
    return [
        Loss(
            layer.name,
            _named(one),
            is_deleted=True,
            is_locked=_is_locked(one.get("inputs") or {}),
        )
        for one in guarded(export)
        if one["urn"] not in kept
    ]


def guarded(export: Json) -> Iterator[Json]:
    """The resources of a state that hold data, an address or the cluster."""
    for one in (export.get("deployment") or {}).get("resources") or ():
        if one.get("type") in PROTECTED_TYPES and not one.get("delete"):
            yield one


def names(exports: Iterable[Json]) -> list[str]:
    """Kind and name of each guarded resource."""
    return sorted({_named(one) for export in exports for one in guarded(export)})


def allowed(given: Sequence[str], known: Sequence[str]) -> frozenset[str]:
    """The resources that `--allow-replace` names, by kind and name, or by a name that is the only.

    Raises CliError for a name that none has, with the nearest, and for one that several have.
    """
    found = set()
    for name in given:
        same = [one for one in known if name in (one, one.partition("::")[2])]
        if not same:
            listed = f"names: {', '.join(known)}" if known else "nothing of this kind is deployed"
            raise CliError(
                f"--allow-replace {name}: no resource that holds data, an address or the cluster "
                "has this name",
                f"{meant(name, [*known, *(one.partition('::')[2] for one in known)])}{listed}",
                Exit.USAGE,
            )
        if len(same) > 1:
            raise CliError(
                f"--allow-replace {name}: which one?", f"one of {', '.join(same)}", Exit.USAGE
            )
        found.add(same[0])
    return frozenset(found)


def refusal(
    environment: str, found: Sequence[Loss], permitted: Collection[str], command: Sequence[str]
) -> CliError | None:
    """Why the update is refused; None where all that it loses is permitted.

    `command` is the command as it was given, for the hint.
    """
    refused = [one for one in found if one.name not in permitted or one.is_locked]
    if not refused:
        return None
    lines = "\n".join(f"  {one}" for one in refused)
    message = (
        f"{environment}: refused, and nothing was touched: {file_of(environment)} has "
        f"platform:protect, and this would lose what holds data, an address or the "
        f"cluster:\n{lines}"
    )
    if any(one.is_locked for one in refused):
        hint = "to lose it, set deletion_protection to false and deploy that first"
    else:
        flags = [
            word
            for one in sorted({one.name for one in refused} - set(permitted))
            for word in ("--allow-replace", one)
        ]
        hint = f"if it is meant: {shlex.join([*command, *flags])}"
    return CliError(message, hint, Exit.PROTECTED)


def refused_by_engine(errors: Iterable[str]) -> list[str]:
    """Kind and name of each resource that the engine refused to lose, by its errors."""
    found = {}
    for error in errors:
        for urn, _ in _OURS.findall(error):
            type_, _, name = urn.split("::", 2)[2].rpartition("::")
            found[named(type_.rpartition("$")[2], name)] = True
    return list(found)


def is_refused(error: str) -> bool:
    """Whether an error of the engine says that a resource is protected."""
    return bool(_REFUSED.search(error))


def _named(resource: Json) -> str:
    return named(str(resource["type"]), urns.name(str(resource["urn"])))


def _is_locked(inputs: Json) -> bool:
    return inputs.get(_DELETION_PROTECTION) is True
