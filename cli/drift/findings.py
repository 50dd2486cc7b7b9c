"""Finds what differs in one layer, from what a refresh found and what the engine plans then.

Pure functions. Of a Kubernetes object the declared fields are compared with the live object, since
its provider compares neither what was added to a list nor what another client added; of any other
resource the provider's own comparison counts, since it knows which spellings mean the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from cli.drift import ports
from cli.drift.controllers import is_controller, is_owned
from cli.drift.managers import Manager, owned, writer
from cli.drift.values import ABSENT, Path, at, changed, differing, moved, parsed, same, written
from cli.steps import Refresh, Step

PROVIDER = "pulumi:providers:"
_REPAIRS = {
    "create": "creates it again",
    "update": "changes it back",
    "replace": "replaces the resource",
}
_KUBERNETES = "kubernetes:"
TAKEN_OVER = ("kubectl", "before-first-apply")
"""Clients whose fields an update by Pulumi's provider takes over, which removes those that it does
not declare: `fixCSAFieldManagers` in its pkg/await/await.go."""


@dataclass(frozen=True, slots=True)
class Value:
    """One value that differs."""

    path: str
    declared: Any
    """The value of the last deployment, ABSENT where it states none."""
    found: Any
    """The value in the account, ABSENT where there is none."""
    repaired: bool
    """Whether `up --refresh` restores it."""
    by: Manager | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """A resource that was changed or deleted behind Pulumi's back."""

    urn: str
    type: str
    name: str
    id: str
    is_gone: bool
    repair: str
    """What `up --refresh` does with it, such as `changes it back`; empty for nothing."""
    values: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True)
class Pending:
    """A resource that the configuration declares otherwise than it was deployed."""

    urn: str
    type: str
    name: str
    op: str
    differs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Layer:
    """What differs in one layer."""

    findings: tuple[Finding, ...] = ()
    pending: tuple[Pending, ...] = ()
    compared: int = field(default=0, compare=False)
    """How many resources were read."""
    errors: tuple[str, ...] = ()
    """Why the preview after the refresh failed: an update would fail as well."""

    @property
    def differs(self) -> bool:
        """Whether anything does."""
        return bool(self.findings or self.pending or self.errors)


def found(refreshes: Iterable[Refresh], steps: Iterable[Step], errors: Iterable[str] = ()) -> Layer:
    """What differs, by the refresh of each resource and the steps planned after it.

    `errors`: why the plan is not whole. What it lacks is told by the refresh alone, and nothing
    counts as repaired, unless clashing ports are the reason, which `up --refresh` puts back.
    """
    failed = tuple(errors)
    puts_back = ports.explain(failed)
    read = [one for one in refreshes if not one.type.startswith(PROVIDER)]
    plan = {one.urn: one for one in _planned(steps)}
    steps_of = {one.urn: plan.get(one.urn) for one in read}
    if puts_back:
        steps_of = {one.urn: steps_of[one.urn] or _lacking(one) for one in read}
    findings = [
        one for one in (_finding(each, steps_of[each.urn], bool(failed)) for each in read) if one
    ]
    failed = () if puts_back else failed
    if failed:
        findings = [_unrepaired(one) for one in findings]
    explained = {one.urn: one for one in findings}
    pending = [
        Pending(step.urn, step.type, step.name, _verb(step), step.differs)
        for step in plan.values()
        if step.urn not in explained and _verb(step) != "same" and not _only_waits(step)
    ]
    return Layer(tuple(findings), tuple(pending), len(read), failed)


def _planned(steps: Iterable[Step]) -> Iterator[Step]:
    for step in steps:
        if step.op not in ("refresh", "read", "read-discard") and not step.type.startswith(
            ("pulumi:pulumi:Stack", PROVIDER)
        ):
            yield step


def _lacking(seen: Refresh) -> Step | None:
    """The step that a plan lacks which clashing ports have cut short: an update of what differs."""
    if not seen.type.startswith(_KUBERNETES) or seen.is_gone:
        return None
    restored = any(value.repaired for value in _of_object(seen, "update"))
    if not (restored or ports.patch(seen.inputs, seen.found)):
        return None
    return Step(op="update", urn=seen.urn, type=seen.type, new=seen.inputs)


def _verb(step: Step | None) -> str:
    if step is None:
        return "same"
    return "replace" if step.is_replacement else step.op


def _only_waits(step: Step) -> bool:
    """Whether an update changes nothing: its provider found the object not ready.

    Of a Deployment whose replicas elect a leader, one alone is ever ready.
    """
    return step.type.startswith(_KUBERNETES) and _verb(step) == "update" and not step.differs


def _unrepaired(finding: Finding) -> Finding:
    values = tuple(replace(value, repaired=False) for value in finding.values)
    return replace(finding, repair="", values=values)


def _finding(seen: Refresh, step: Step | None, is_partial: bool) -> Finding | None:
    verb = _verb(step)
    if seen.is_gone:
        return _described(seen, verb, ())
    if seen.type.startswith(_KUBERNETES):
        values = tuple(_of_object(seen, verb))
    else:
        is_told = verb != "same" or (step is None and is_partial)
        values = tuple(_of_resource(seen, step.differs if step else ())) if is_told else ()
    return _described(seen, verb, values) if values else None


def _described(seen: Refresh, verb: str, values: tuple[Value, ...]) -> Finding:
    repair = _REPAIRS.get(verb, "") if seen.is_gone or any(v.repaired for v in values) else ""
    return Finding(seen.urn, seen.type, seen.name, seen.id, seen.is_gone, repair, values)


def _of_object(seen: Refresh, verb: str) -> Iterator[Value]:
    """The values of a Kubernetes object that differ."""
    own = str(seen.found.get("__fieldManager") or "")
    is_written = verb in _REPAIRS
    reported: list[Path] = []
    for path, declared, live in differing(seen.inputs, seen.found):
        place = moved(seen.inputs, seen.found, path)
        by = writer(seen.found, path if place is None else place, own)
        if is_owned(seen.kind, written(path), declared=True):
            continue
        if by and is_controller(by):
            continue
        earlier = moved(seen.inputs, seen.outputs, path)
        before = ABSENT if earlier is None else at(seen.outputs, earlier)
        if same(before, live) and (by is None or not isinstance(live, list)):
            continue  # the API server's spelling of what was deployed
        reported.append(path)
        yield Value(written(path), declared, live, is_written, by)
    for path in map(parsed, seen.differs):  # a secret's value is masked on both sides
        if not _touches(reported, path) and not is_owned(seen.kind, written(path), declared=True):
            declared = at(seen.inputs, path)
            reported.append(path)
            by = writer(seen.found, path, own)
            yield Value(written(path), declared, at(seen.found, path), is_written, by)
    yield from _added(seen, own, reported, is_written)


def _added(seen: Refresh, own: str, reported: list[Path], is_written: bool) -> Iterator[Value]:
    """What a client that is no controller added to a Kubernetes object."""
    for manager, path in owned(seen.found):
        if manager.name == own or is_controller(manager) or manager.subresource:
            continue
        if _is_declared(seen, path) or is_owned(seen.kind, written(path), declared=False):
            continue
        if at(seen.outputs, path) == at(seen.found, path) and _is_ours(seen, own, path):
            continue
        if _touches(reported, path):
            continue
        if same(ABSENT, at(seen.found, path)):
            continue
        reported.append(path)
        repaired = is_written and manager.name.startswith(TAKEN_OVER)
        yield Value(written(path), ABSENT, at(seen.found, path), repaired, manager)


def _is_ours(seen: Refresh, own: str, path: Path) -> bool:
    """Whether the deployment owns the path as well."""
    return any(manager.name == own and one == path for manager, one in owned(seen.found))


def _is_declared(seen: Refresh, path: Path) -> bool:
    return moved(seen.found, seen.inputs, path) is not None


def _of_resource(seen: Refresh, planned: Iterable[str]) -> Iterator[Value]:
    """The values of a resource that differ, where its provider plans a change."""
    reported: list[Path] = []
    plan = [parsed(text) for text in planned]
    for path, declared, live in changed(seen.inputs, seen.found_inputs):
        if declared is ABSENT and same(at(seen.outputs, path), live):
            continue  # set by the server, and known since the deployment
        if declared is ABSENT and plan and not _touches(plan, path):
            continue  # set by the server, and anew with what was changed
        reported.append(path)
        yield Value(written(path), declared, live, True)
    for path in plan:
        if _touches(reported, path):
            continue
        text, before, live = written(path), at(seen.outputs, path), at(seen.found, path)
        if text in seen.differs or not same(before, live):
            declared = at(seen.inputs, path)
            reported.append(path)
            yield Value(text, before if declared is ABSENT else declared, live, True)


def _touches(paths: Iterable[Path], path: Path) -> bool:
    """Whether one of the paths is the path, a part of it or what holds it."""
    return any(path[: len(one)] == one or one[: len(path)] == path for one in paths)
