"""Deployments as text and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from cli import console
from cli.engine import Engine
from cli.environments import ROOT
from cli.history import repository
from cli.history.deployments import Deployment, deployments, update
from gkeplatform.layers import in_order


def read(environment: str, variables: Mapping[str, str]) -> list[Deployment]:
    """The deployments of an environment in the backend. Raises CliError."""
    engine = Engine(variables, console.say)
    layers = in_order()
    with ThreadPoolExecutor(len(layers)) as pool:
        listed = list(pool.map(lambda layer: engine.history(layer, environment), layers))
    made = [
        update(layer.name, content)
        for layer, contents in zip(layers, listed, strict=True)
        for content in contents
    ]
    return deployments([one for one in made if one is not None])


def document(one: Deployment) -> dict[str, Any]:
    """A deployment as JSON has it."""
    last = one.last
    return {
        "number": one.number,
        "kind": last.kind,
        "started": one.updates[0].started.isoformat(),
        "ended": last.ended.isoformat(),
        "layers": one.layers,
        "result": one.result,
        "changes": one.changes,
        "commit": last.commit or None,
        "dirty": last.is_dirty,
        "message": _message(one),
        "who": last.who or None,
    }


def text(found: Sequence[Deployment]) -> str:
    """Deployments for a reader, the latest first."""
    lines = []
    for one in reversed(found):
        changed = ", ".join(f"{count} {kind}" for kind, count in one.changes.items())
        commit = one.last.commit[:12] + ("+" if one.last.is_dirty else "")
        parts = (
            f"{one.number:>4}",
            f"{one.updates[0].started:%Y-%m-%d %H:%M}",
            f"{one.result:<11}",
            "all layers" if len(one.layers) == len(in_order()) else "+".join(one.layers),
            f"{one.last.kind}: {changed or 'no change'}",
            commit or "no commit",
            one.last.who,
            _message(one),
        )
        lines.append("  ".join(part for part in parts if part))
    return "\n".join(lines)


def _message(one: Deployment) -> str:
    subject = repository.subject(ROOT, one.last.commit) if one.last.commit else ""
    return subject or one.last.message.partition("\n")[0]
