"""`platformctl policy`: what the guardrails are, and what they say, without deploying anything."""

from __future__ import annotations

import difflib
import json
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import environments, talk
from cli.errors import CliError, Exit
from gkeplatform.errors import PlatformError
from gkeplatform.layers import LAYERS, Layer
from policies.check import Report, judge, pack_for
from policies.pack import Pack
from policies.registry import RULES
from policies.reports import FORMATS, as_json
from policies.rule import Level, Rule
from policies.sources import UnreadableError, read
from policies.subjects import Resource

app = typer.Typer(no_args_is_help=True, help="List, explain, check and simulate the policies.")


class Output(StrEnum):
    """How a report is written."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    JUNIT = "junit"


AsJson = Annotated[bool, typer.Option("--json", help="As JSON; the same as --output json.")]
To = Annotated[Output, typer.Option("--output", "-o", help="How the report is written.")]
Env = Annotated[list[str] | None, typer.Option("--env", "-e", help="dev, stage or prod; or all.")]
Of = Annotated[list[str] | None, typer.Option("--layer", "-l", help="A layer; or all.")]


@app.command("list")
def list_(as_json_: AsJson = False) -> None:
    """List all rules."""
    if as_json_:
        print(json.dumps([as_json.rule(rule) for rule in RULES], indent=2))
        return
    width = max(len(rule.id) for rule in RULES)
    for rule in RULES:
        print(f"{rule.id:<{width}}  {rule.level:<10} {rule.severity:<9} {rule.layer}")
    talk.say(f"{len(RULES)} rules; `./platformctl policy explain RULE` says more")


@app.command()
def explain(rule: str, as_json_: AsJson = False) -> None:
    """Say what a rule is about, why, and how to keep it."""
    found = _rule(rule)
    if as_json_:
        print(json.dumps(as_json.rule(found), indent=2))
        return
    print(f"{found.id}: {found.title}\n")
    print(f"why:        {found.why}")
    print(f"fix:        {found.fix}")
    repairs = "; level `remediate` repairs it" if found.repair else ""
    print(f"level:      {found.level}, unless an environment says otherwise{repairs}")
    print(f"severity:   {found.severity}; layer: {found.layer}")
    print(f"judges:     {', '.join(found.selector.types)}")
    if given := as_json.parameters(found):
        print(f"parameters: {json.dumps(given)}  (gke-policies:parameters.{found.id})")
    for reference in found.references:
        print(f"from:       {reference.source}: {reference.control}, {reference.url}")
    for environment in environments.names():
        level = _pack(environment).level(found)
        if level is not found.level:
            print(f"in {environment}: {level}")


@app.command()
def check(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Manifests, stack exports, clusters of the API; files or folders."),
    ] = None,
    env: Env = None,
    layer: Of = None,
    deployed: Annotated[
        bool, typer.Option("--deployed", help="Judge what is deployed, by the stacks' state.")
    ] = False,
    output: To = Output.TEXT,
    as_json_: AsJson = False,
) -> None:
    """Judge files, or what the environments' programs declare, or what is deployed.

    Ends with 0 where nothing stops, 5 with violations, 2 where something could not be judged.
    """
    if files and (layer or deployed):
        hint = "leave --layer and --deployed out"
        raise CliError("files have no layer and are not deployed", hint, Exit.USAGE)
    report = Report()
    if files:
        _only_one(env)
        pack = _pack(env[0] if env else "")
        report = judge(_read(files), pack, environment=env[0] if env else "")
    else:
        for environment in _environments(env):
            pack = _pack(environment)
            for chosen, resources in _resources(environment, _layers(layer), deployed=deployed):
                report.add(judge(resources, pack, environment=environment, layer=chosen.name))
            if not layer:
                report.unused += _unused(pack, report, environment)
    sys.stdout.write(FORMATS["json" if as_json_ else output](report))
    if not report.is_clean:
        raise typer.Exit(Exit.POLICY)


@app.command()
def simulate(
    rule: Annotated[str, typer.Option("--rule", "-r", help="The rule to try.")],
    level: Annotated[Level, typer.Option("--level", help="The level to try it at.")] = (
        Level.MANDATORY
    ),
    env: Env = None,
    output: To = Output.TEXT,
    as_json_: AsJson = False,
) -> None:
    """Show what a rule would stop in which environment; nothing is touched."""
    found = _rule(rule)
    report = Report()
    for environment in _environments(env):
        pack = _pack(environment).with_levels({found.id: level}).only(found.id)
        for chosen, resources in _resources(environment, list(LAYERS), deployed=False):
            report.add(judge(resources, pack, environment=environment, layer=chosen.name))
    report.expired = []
    sys.stdout.write(FORMATS["json" if as_json_ else output](report))
    if output is Output.TEXT and not as_json_:
        for environment in _environments(env):
            stopped = [t for t in report.told if t.environment == environment and t.stops]
            print(f"{environment}: {f'{len(stopped)} would stop' if stopped else 'nothing stops'}")
    if not report.is_clean:
        raise typer.Exit(Exit.POLICY)


def _rule(name: str) -> Rule:
    by_id = {rule.id: rule for rule in RULES}
    if name in by_id:
        return by_id[name]
    near = difflib.get_close_matches(name, by_id, n=1)
    guess = f"did you mean `{near[0]}`? " if near else ""
    hint = f"{guess}`./platformctl policy list` has them all"
    raise CliError(f"there is no rule `{name}`", hint, Exit.USAGE)


def _pack(environment: str) -> Pack:
    if environment:
        environments.checked(environment)
    try:
        return pack_for(environment, root=environments.ROOT, today=datetime.now(UTC).date())
    except PlatformError as error:
        raise _unjudged(error) from None


def _read(files: Iterable[Path]) -> list[Resource]:
    try:
        return [resource for file in files for resource in read(file)]
    except UnreadableError as error:
        raise _unjudged(error) from None


def _unjudged(error: Exception) -> CliError:
    message, _, hint = str(error).partition("\nhint: ")
    return CliError(message, hint, Exit.USAGE)


def _environments(given: list[str] | None) -> list[str]:
    return [environments.checked(name) for name in given] if given else environments.names()


def _layers(given: list[str] | None) -> list[Layer]:
    known = {layer.name: layer for layer in LAYERS}
    for name in given or ():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            guess = f"did you mean `{near[0]}`? " if near else ""
            hint = f"{guess}layers: {', '.join(known)}"
            raise CliError(f"there is no layer `{name}`", hint, Exit.USAGE)
    return [known[name] for name in given] if given else list(LAYERS)


def _only_one(env: list[str] | None) -> None:
    if env and len(env) > 1:
        raise CliError("files are judged as one environment has it", "name one --env", Exit.USAGE)


def _resources(
    environment: str, layers: list[Layer], *, deployed: bool
) -> Iterable[tuple[Layer, list[Resource]]]:
    """The resources of each layer: of its state, or as its program declares them."""
    if deployed:
        for layer in layers:
            yield layer, _deployed(environment, layer)
        return
    from cli.declared import run_environment  # noqa: PLC0415 (the SDKs take a second to import)
    from gkeplatform.stack import Refused  # noqa: PLC0415

    try:
        declared = run_environment(environment)
    except (Refused, PlatformError) as error:
        raise _unjudged(PlatformError(getattr(error, "message", str(error)))) from None
    for layer in layers:
        yield layer, declared[layer.name].resources(environment, layer.project)


def _deployed(environment: str, layer: Layer) -> list[Resource]:
    from policies.sources import stack_export  # noqa: PLC0415 (only for what is deployed)
    from policies.sources.documents import Document  # noqa: PLC0415

    command = ["pulumi", "stack", "export", "--stack", environment]
    folder = environments.ROOT / layer.directory
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise CliError(
            "there is no `pulumi` on the PATH",
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


def _unused(pack: Pack, report: Report, environment: str) -> list[Any]:
    """The waivers that waived nothing in any layer of the environment."""
    used = {
        id(told.finding.waiver)
        for told in report.told
        if told.environment == environment and told.finding.waiver is not None
    }
    held = [waiver for waivers in pack.waivers.of_rule.values() for waiver in waivers]
    return [waiver for waiver in held if id(waiver) not in used]
