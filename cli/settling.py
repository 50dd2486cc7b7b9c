"""Repairs the state of a layer whose last update was killed, before the next one."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cli import default_pool, interruption, lookup, lost_answers
from cli.interruption import Operation
from cli.resource_ids import REPEATABLE, id_of
from gkeplatform.layers import Layer

_OUTLIVING = ("gcp:", "kubernetes:")
"""Providers whose resources outlive a creation that was killed."""
Pulumi = Callable[[Layer, Sequence[str]], str]
"""Runs `pulumi` with arguments in a layer's folder, and answers its output. Raises CliError."""
Say = Callable[[str, str], None]


def settle(
    layer: Layer, stack: str, pulumi: Pulumi, say: Say, environment: Mapping[str, str]
) -> None:
    """Adopt what an update created before it was killed, and forget its other operations.

    Does nothing for a layer whose last update was not killed. Raises CliError.
    """
    before = json.loads(pulumi(layer, ["stack", "export", "--stack", stack]))
    found = interruption.operations(before)
    if not found:
        return
    say(interruption.described(found), layer.name)
    ids = _ids(before, found, environment, lambda text: say(text, layer.name))
    current = before
    if ids:
        _import(layer, stack, pulumi, interruption.with_adopted(before, ids))
        targets = [word for urn in ids for word in ("--target", urn)]
        refresh = ["refresh", "--yes", "--skip-preview", "--skip-pending-creates", "--stack", stack]
        pulumi(layer, [*refresh, *targets])
        current = json.loads(pulumi(layer, ["stack", "export", "--stack", stack]))
    for one in found:
        if one.urn in ids:
            is_there = ids[one.urn] in interruption.known_ids(current)
            say(f"{one.label} {'exists: adopts it' if is_there else 'was not created'}", layer.name)
            if is_there and one.inputs.get("removeDefaultNodePool"):
                _delete_default_pool(ids[one.urn], environment, lambda t: say(t, layer.name))
    _import(layer, stack, pulumi, interruption.settled(before, current))


def note(layer: Layer, stack: str, pulumi: Pulumi, creations: Sequence[Mapping[str, Any]]) -> None:
    """Note creations without an answer in the state, for the next `settle`. Raises CliError."""
    export = json.loads(pulumi(layer, ["stack", "export", "--stack", stack]))
    _import(layer, stack, pulumi, lost_answers.noted(export, creations))


def _ids(
    export: dict[str, Any],
    found: Sequence[Operation],
    environment: Mapping[str, str],
    warn: Callable[[str], None],
) -> dict[str, str]:
    """The id by URN of each resource that may have been created."""
    ids: dict[str, str] = {}
    for one in found:
        if one.kind != "creating" or not one.type.startswith(_OUTLIVING) or one.type in REPEATABLE:
            continue
        provider = interruption.provider_inputs(export, one.resource)
        if one.type not in lookup.LISTINGS:
            id_ = id_of(one.type, one.inputs, provider)
            if id_ is None:
                warn(
                    f"warning: {one.label} may exist already; if its creation is refused, "
                    f"`pulumi import {one.type} {one.urn.rpartition('::')[2]} ID` adopts it"
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
