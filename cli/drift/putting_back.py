"""Puts back ports that an update cannot, by `kubectl`, before the update is tried again."""

from __future__ import annotations

import json
import shlex
import subprocess
import tempfile
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from cli import confirmation, console
from cli.drift import ports
from cli.engine import Engine
from cli.errors import CliError, Exit
from gkeplatform.layers import Layer

_MANAGER = "kubectl-patch"
"""The field manager: the provider takes its fields over (`findings.TAKEN_OVER`)."""


def deploy(
    layer: Layer,
    *,
    deploy: Callable[[Layer], None],
    error: CliError,
    put_back: Callable[[Layer, Collection[str]], set[str]],
) -> None:
    """Deploy a layer again whose deployment failed with `error`, once its ports are put back.

    A run of the engine stops at the first clash that it meets, so there may be several rounds.
    """
    done: set[str] = set()
    while ports.is_refused(str(error)) and (found := put_back(layer, done)):
        done |= found
        try:
            return deploy(layer)
        except CliError as failure:
            error = failure
    raise error


def put_back(
    engine: Engine,
    environment: str,
    variables: Mapping[str, str],
    layer: Layer,
    done: Collection[str] = (),
    *,
    interactive: bool = False,
) -> set[str]:
    """Put back the declared ports of the layer's objects; the URNs of those that it changed.

    `done`: objects that were put back before and are left alone. `interactive`: ask first. Raises
    CliError where kubectl is missing, the API server refuses, or the answer is no.
    """
    run = engine.drift(layer, environment)
    # The failed update wrote what it found into the state; the plan has what is declared.
    declared = {step.urn: step.new for step in run.steps if step.new}
    found = [
        (one, ports.patch(declared.get(one.urn, one.inputs), one.found))
        for one in run.refreshes
        if one.type.startswith("kubernetes:") and not one.is_gone
    ]
    wanted = [(one, change) for one, change in found if change and one.urn not in done]
    if not wanted:
        return set()
    if interactive:
        names = ", ".join(sorted(one.name for one, _ in wanted))
        confirmation.ask(f"put back the ports of {names}, and deploy again?", yes=False)
    with tempfile.TemporaryDirectory() as scratch:
        kubeconfig = Path(scratch, "kubeconfig")
        kubeconfig.touch(mode=0o600)
        kubeconfig.write_text(engine.kubeconfig(environment))
        for one, change in wanted:
            words = [*ports.command(one), "--patch", json.dumps(change)]
            console.say(f"$ kubectl {shlex.join(words)}", layer.name)
            _kubectl(
                ["--kubeconfig", str(kubeconfig), *words, "--field-manager", _MANAGER],
                variables,
                f"{layer.name}: {one.name}",
            )
    return {one.urn for one, _ in wanted}


def _kubectl(arguments: list[str], variables: Mapping[str, str], subject: str) -> None:
    try:
        done = subprocess.run(
            ["kubectl", *arguments],
            env=dict(variables),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except FileNotFoundError:
        raise CliError(
            f"{subject}: its ports were changed, and `kubectl` is not on the PATH",
            "install kubectl and run the same command again",
        ) from None
    if done.returncode:
        reason = " ".join(done.stderr.split())
        raise CliError(
            f"{subject}: its ports cannot be put back: {reason}",
            "run the command above by hand, then the same command again",
            Exit.RESOURCE,
        )
