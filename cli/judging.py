"""Judges the resources of an environment's layers by the policy pack. Changes nothing.

The resources come from one of three sources: what the programs declare against mocks, the stacks'
state, or a preview of the engine.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cli import console, environments
from cli.errors import CliError, Exit, usage_error
from gkeplatform.errors import PlatformError
from gkeplatform.layers import LAYERS, Layer
from policies.check import JudgedFinding, Report, judge, pack_for
from policies.pack import Pack, Verdict
from policies.sources import stack_file
from policies.subjects import Resource

Find = Callable[[str, Iterable[Layer]], Iterable[tuple[Layer, list[Resource]]]]


def pack_of(environment: str) -> Pack:
    """The pack with an environment's settings, or with its defaults. Raises CliError."""
    if environment:
        environments.checked(environment)
    try:
        return pack_for(environment, root=environments.ROOT, today=datetime.now(UTC).date())
    except PlatformError as error:
        raise usage_error(error) from None


def judged(names: Sequence[str], layers: Sequence[Layer], find: Find) -> Report:
    """Judge layers of environments; `find` returns their resources."""
    report = Report()
    for environment in names:
        pack = pack_of(environment)
        for layer, resources in find(environment, layers):
            report.add(judge(resources, pack, environment=environment, layer=layer.name))
        if len(layers) == len(LAYERS):
            _add_unused(pack, report, environment)
    return _placed(report)


def previews(names: Sequence[str], layers: Sequence[Layer], *, defer: bool) -> Report:
    """Judge layers of environments as the engine previews them."""
    report = Report()
    for environment in names:
        pack = pack_of(environment)
        for layer in layers:
            report.add(_previewed(environment, layer, pack, defer=defer))
        if len(layers) == len(LAYERS):
            _add_unused(pack, report, environment)
    return _placed(report)


def declared_by(
    environment: str, layers: Iterable[Layer]
) -> Iterable[tuple[Layer, list[Resource]]]:
    """The resources that each layer's program declares."""
    from declared import run_environment  # noqa: PLC0415 (the SDKs take a second to import)
    from gkeplatform.stack import Refused  # noqa: PLC0415

    try:
        found = run_environment(environment)
    except (Refused, PlatformError) as error:
        raise usage_error(PlatformError(getattr(error, "message", str(error)))) from None
    for layer in layers:
        yield layer, found[layer.name].resources(environment, layer.project)


def deployed_by(
    environment: str, layers: Iterable[Layer]
) -> Iterable[tuple[Layer, list[Resource]]]:
    """The resources in the state of each layer's stack."""
    for layer in layers:
        yield layer, _deployed(environment, layer)


def _previewed(environment: str, layer: Layer, pack: Pack, *, defer: bool) -> Report:
    """The pack's findings in a preview of a layer, with this process's environment variables.

    With `defer`, values not known before the update are left to it. Raises CliError when the
    preview failed or the pack did not judge all of it.
    """
    from cli.engine import Engine  # noqa: PLC0415 (only for a preview)
    from policies import recording  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch, "findings")
        file.touch(mode=0o600)
        variables = {**os.environ, recording.VARIABLE: str(file)}
        try:
            is_content = Engine(variables, _say).judge(layer, environment)
        except CliError as error:
            code = Exit.CANCELLED if error.code is Exit.CANCELLED else Exit.USAGE
            raise CliError(f"cannot be judged: {error}", error.hint, code) from None
        recorded = recording.read(file, pack)
    judged = [
        JudgedFinding(
            finding,
            pack.level(finding.rule),
            environment,
            layer.name,
            deferred=defer and finding.verdict is Verdict.UNKNOWN,
        )
        for finding in recorded.findings
    ]
    report = Report(
        judged,
        recorded.resources,
        [f"{environment}/{layer.name}"],
        expired=list(pack.waivers.expired),
    )
    if not recorded.is_complete and (is_content or report.is_clean):
        raise CliError(
            f"{layer.name}: the policy pack did not judge the preview to its end",
            f"run it yourself: $ cd {layer.directory} && "
            f"pulumi preview --stack {environment} --policy-pack {environments.ROOT / 'policies'}",
            Exit.USAGE,
        )
    return report


def _placed(report: Report) -> Report:
    """The report, with the line of each resource in its environment's files."""
    files = {judged.environment for judged in report.findings}
    places = {one: stack_file.places(one, environments.ROOT) for one in files}
    report.findings = [_at(judged, places[judged.environment]) for judged in report.findings]
    return report


def _at(judged: JudgedFinding, places: Mapping[str, stack_file.Place]) -> JudgedFinding:
    place = places.get(judged.finding.resource.name)
    return dataclasses.replace(judged, file=place.file, line=place.line) if place else judged


def _add_unused(pack: Pack, report: Report, environment: str) -> None:
    """Add the waivers that waived nothing in any layer of the environment."""
    used = [
        judged.finding.waiver for judged in report.findings if judged.environment == environment
    ]
    for waiver in (one for held in pack.waivers.of_rule.values() for one in held):
        if waiver not in used:
            report.unused.setdefault(waiver, []).append(environment)


def _say(text: str, layer: str) -> None:
    """Print a message of the engine; findings of policies are in the report."""
    if not text.startswith("policy "):
        console.say(text, layer)


def _deployed(environment: str, layer: Layer) -> list[Resource]:
    from policies.sources import stack_export  # noqa: PLC0415 (only for what is deployed)
    from policies.sources.documents import Document  # noqa: PLC0415

    command = ["pulumi", "stack", "export", "--stack", environment]
    folder = environments.ROOT / layer.directory
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise CliError(
            "`pulumi` is not on the PATH",
            'install it, or for the sandbox: eval "$(./platformctl sandbox env)"',
            Exit.USAGE,
        ) from None
    if done.returncode:
        reason = " ".join(done.stderr.split()).removeprefix("error: ")
        raise CliError(
            f"{layer.name} of {environment} cannot be read: {reason}",
            f"is it deployed, and are you logged in to its backend? $ cd {layer.directory} && "
            f"{' '.join(command)}",
            Exit.USAGE,
        )
    content: Any = json.loads(done.stdout)
    return list(stack_export.resources(Document(content, "", 0)))
