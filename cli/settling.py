"""Repairs the state of a layer whose last update was killed, before the next one."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cli import default_pool, interruption, lookup, lost_answers, ownership
from cli.errors import CliError, Exit
from cli.interruption import Operation
from cli.resource_ids import REPEATABLE, id_of
from gkeplatform.layers import Layer

_OUTLIVING = ("gcp:", "kubernetes:")
"""Providers whose resources outlive a creation that was killed."""
Pulumi = Callable[[Layer, Sequence[str]], str]
"""Runs `pulumi` with arguments in a layer's folder, and answers its output. Raises CliError."""
Say = Callable[[str, str], None]


def settle(
    layer: Layer,
    stack: str,
    pulumi: Pulumi,
    say: Say,
    environment: Mapping[str, str],
    unanswered: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Adopt what an update created before it was killed, and forget its other operations.

    `unanswered` are creations of the last update that failed without an answer. Does nothing for a
    layer whose last update was not killed. Raises CliError, also where a name is taken by what
    somebody else made.
    """
    before = json.loads(pulumi(layer, ["stack", "export", "--stack", stack]))
    before = lost_answers.noted(before, unanswered)
    found = interruption.operations(before)
    if not found:
        return
    say(interruption.described(found), layer.name)
    ids = _ids(before, stack, found, environment, lambda text: say(text, layer.name))
    current = before
    if ids:
        _import(layer, stack, pulumi, interruption.with_adopted(before, ids))
        targets = [word for urn in ids for word in ("--target", urn)]
        refresh = ["refresh", "--yes", "--skip-preview", "--skip-pending-creates", "--stack", stack]
        pulumi(layer, [*refresh, *targets])
        current = json.loads(pulumi(layer, ["stack", "export", "--stack", stack]))
    foreign: list[tuple[Operation, str]] = []
    for one in found:
        if one.urn not in ids:
            continue
        there = interruption.resource(current, one.urn, ids[one.urn])
        reason = ownership.foreign(one.type, one.inputs, there) if there else None
        if reason:
            foreign.append((one, reason))
        else:
            outcome = "exists: adopts it" if there else "was not created"
            say(f"{one.label} {outcome}", layer.name)
            if there and one.inputs.get("removeDefaultNodePool"):
                _import(layer, stack, pulumi, interruption.unread(current, one.urn))
                _delete_default_pool(ids[one.urn], environment, lambda t: say(t, layer.name))
    dropped = {one.urn: ids[one.urn] for one, _ in foreign}
    _import(
        layer, stack, pulumi, interruption.settled(before, interruption.without(current, dropped))
    )
    if foreign:
        raise _taken(layer, stack, foreign, ids)


def adoption(
    layer: Layer, stack: str, pulumi: Pulumi, refused: Sequence[dict[str, Any]]
) -> list[str]:
    """The commands that adopt what exists, for creations that were refused. Raises CliError."""
    export = json.loads(pulumi(layer, ["stack", "export", "--stack", stack]))
    commands = []
    for one in refused:
        provider = interruption.provider_inputs(export, one)
        id_ = id_of(str(one["type"]), one.get("inputs") or {}, provider)
        if id_:
            commands.append(interruption.import_command(one, stack, id_))
    return commands


def restore(
    layer: Layer, stack: str, pulumi: Pulumi, say: Say, refused: Sequence[dict[str, Any]]
) -> bool:
    """Keep what an update that failed halfway has replaced, and whose name is wanted again.

    The engine deletes it at the end of the next update, so a creation under its name is refused
    before. Whether anything is kept. Raises CliError.
    """
    export = json.loads(pulumi(layer, ["stack", "export", "--stack", stack]))
    kept: dict[str, str] = {}
    for one in refused:
        provider = interruption.provider_inputs(export, one)
        id_ = id_of(str(one["type"]), one.get("inputs") or {}, provider)
        if id_ and interruption.leaving(export, str(one["urn"]), id_):
            kept[str(one["urn"])] = id_
    if not kept:
        return False
    _import(layer, stack, pulumi, interruption.with_kept(export, kept))
    for one in refused:
        if one["urn"] in kept:
            label = Operation("creating", one).label
            say(f"{label} is still there from before an update that failed: keeps it", layer.name)
    return True


def _taken(
    layer: Layer, stack: str, foreign: Sequence[tuple[Operation, str]], ids: Mapping[str, str]
) -> CliError:
    said = [f"{one.label} exists, and is somebody else's: {why}" for one, why in foreign]
    commands = [
        interruption.import_command(one.resource, stack, ids[one.urn]) for one, _ in foreign
    ]
    text = said[0] if len(said) == 1 else "\n" + "\n".join(f"  {line}" for line in said)
    return CliError(
        f"{layer.name}: {text}",
        "choose another name, or delete it, or adopt it: $ "
        + " && ".join([f"cd {layer.directory}", *commands]),
        Exit.RESOURCE,
    )


def _ids(
    export: dict[str, Any],
    stack: str,
    found: Sequence[Operation],
    environment: Mapping[str, str],
    warn: Callable[[str], None],
) -> dict[str, str]:
    """The id by URN of each resource that may have been created."""
    ids: dict[str, str] = {}
    for one in found:
        if one.kind != "creating" or not one.type.startswith(_OUTLIVING) or one.type in REPEATABLE:
            continue
        if one.resource.get("id"):
            ids[one.urn] = str(one.resource["id"])  # adopted already, and not read
            continue
        provider = interruption.provider_inputs(export, one.resource)
        if one.type not in lookup.LISTINGS:
            id_ = id_of(one.type, one.inputs, provider)
            if id_ is None:
                warn(
                    f"warning: {one.label} may exist already; if its creation is refused, "
                    f"`{interruption.import_command(one.resource, stack)}` adopts it"
                )
            else:
                ids[one.urn] = id_
            continue
        try:
            listed = lookup.ids(one.type, one.inputs, provider, environment)
        except lookup.LookupFailedError as error:
            warn(f"warning: {one.label} may exist already, and then twice: {error}")
            continue
        new = sorted(set(listed) - interruption.known_ids(export) - set(ids.values()))
        if len(new) > 1:
            warn(f"warning: {one.label}: which is it? Delete the others: {', '.join(new)}")
        elif new:
            ids[one.urn] = new[0]
    return ids


def _delete_default_pool(
    cluster: str, environment: Mapping[str, str], warn: Callable[[str], None]
) -> None:
    try:
        if default_pool.delete(cluster, environment):
            warn("deleted the cluster's default pool, as its creation would have done")
    except lookup.LookupFailedError as error:
        warn(f"warning: the cluster may still have its default pool; delete it: {error}")


def _import(layer: Layer, stack: str, pulumi: Pulumi, state: Mapping[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch, "state.json")
        file.touch(mode=0o600)
        file.write_text(json.dumps(state))
        pulumi(layer, ["stack", "import", "--stack", stack, "--file", str(file)])
