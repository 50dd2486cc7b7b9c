"""`platformctl policy`: what the guardrails are, and what they say, without deploying anything."""

from __future__ import annotations

import difflib
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from cli import environments, judging, reports, talk
from cli.errors import CliError, Exit
from gkeplatform.layers import LAYERS
from policies.check import Report, judge
from policies.former_ids import current_id
from policies.registry import RULES
from policies.reports import FORMATS, as_json
from policies.rule import Level, Rule
from policies.sources import UnreadableError, read
from policies.subjects import Resource

app = typer.Typer(no_args_is_help=True, help="List, explain, check and simulate the policies.")


Env = Annotated[list[str] | None, typer.Option("--env", "-e", help="dev, stage or prod; or all.")]
Of = Annotated[list[str] | None, typer.Option("--layer", "-l", help="A layer; or all.")]


@app.command("list")
def list_(as_json_: reports.AsJson = False) -> None:
    """List all rules."""
    if as_json_:
        print(json.dumps([as_json.rule(rule) for rule in RULES], indent=2))
        return
    width = max(len(rule.id) for rule in RULES)
    for rule in RULES:
        print(f"{rule.id:<{width}}  {rule.level:<10} {rule.severity:<9} {rule.layer}")
    talk.say(f"{len(RULES)} rules; `./platformctl policy explain RULE` says more")


@app.command()
def explain(rule: str, as_json_: reports.AsJson = False) -> None:
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
        level = judging.pack_of(environment).level(found)
        if level is not found.level:
            print(f"in {environment}: {level}")


@app.command()
def check(  # noqa: PLR0913, PLR0917 (an option each)
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Manifests, stack exports, clusters of the API; files or folders."),
    ] = None,
    env: Env = None,
    layer: Of = None,
    deployed: Annotated[
        bool, typer.Option("--deployed", help="Judge what is deployed, by the stacks' state.")
    ] = False,
    preview: Annotated[
        bool,
        typer.Option("--preview", help="Judge a preview of the engine; touches nothing."),
    ] = False,
    defer_unknown: Annotated[
        bool,
        typer.Option(
            "--defer-unknown", help="Leave to the update what a preview cannot know; tell it."
        ),
    ] = False,
    output: reports.To = reports.Output.TEXT,
    also: reports.Also = None,
    as_json_: reports.AsJson = False,
) -> None:
    """Judge files, or what the environments' programs declare, or a preview, or what is deployed.

    Ends with 0 where nothing stops, 5 with violations, 2 where something could not be judged.
    """
    if deployed and preview:
        raise CliError("what is deployed is not previewed", "name one of the two", Exit.USAGE)
    if defer_unknown and not preview:
        raise CliError("only a preview leaves values to the update", "add --preview", Exit.USAGE)
    if files and (layer or deployed or preview):
        hint = "leave --layer, --deployed and --preview out"
        raise CliError("files have no layer and are not deployed", hint, Exit.USAGE)
    further = reports.files(also)
    if files:
        _only_one(env)
        pack = judging.pack_of(env[0] if env else "")
        report = judge(_read(files), pack, environment=env[0] if env else "")
    elif preview:
        report = judging.previews(
            _environments(env), environments.layers(layer), defer=defer_unknown
        )
    else:
        find = judging.deployed_by if deployed else judging.declared_by
        report = judging.judged(_environments(env), environments.layers(layer), find)
    reports.write(report, reports.Output.JSON if as_json_ else output, further)


@app.command()
def simulate(
    rule: Annotated[str, typer.Option("--rule", "-r", help="The rule to try.")],
    level: Annotated[Level, typer.Option("--level", help="The level to try it at.")] = (
        Level.MANDATORY
    ),
    env: Env = None,
    output: reports.To = reports.Output.TEXT,
    as_json_: reports.AsJson = False,
) -> None:
    """Show what a rule would stop in which environment; nothing is touched."""
    found = _rule(rule)
    report = Report()
    for environment in _environments(env):
        pack = judging.pack_of(environment).with_levels({found.id: level}).only(found.id)
        for chosen, resources in judging.declared_by(environment, LAYERS):
            report.add(judge(resources, pack, environment=environment, layer=chosen.name))
    report.expired = []
    sys.stdout.write(FORMATS["json" if as_json_ else output](report))
    if output is reports.Output.TEXT and not as_json_:
        for environment in _environments(env):
            stopped = [t for t in report.findings if t.environment == environment and t.stops]
            print(f"{environment}: {f'{len(stopped)} would stop' if stopped else 'nothing stops'}")
    if not report.is_clean:
        raise typer.Exit(Exit.POLICY)


def _rule(name: str) -> Rule:
    by_id = {rule.id: rule for rule in RULES}
    name = current_id(name, "policy")
    if name in by_id:
        return by_id[name]
    near = difflib.get_close_matches(name, by_id, n=1)
    guess = f"did you mean `{near[0]}`? " if near else ""
    hint = f"{guess}`./platformctl policy list` has them all"
    raise CliError(f"there is no rule `{name}`", hint, Exit.USAGE)


def _read(files: Iterable[Path]) -> list[Resource]:
    try:
        return [resource for file in files for resource in read(file)]
    except UnreadableError as error:
        raise judging.unjudged(error) from None


def _environments(given: list[str] | None) -> list[str]:
    return [environments.checked(name) for name in given] if given else environments.names()


def _only_one(env: list[str] | None) -> None:
    if env and len(env) > 1:
        raise CliError("files are judged as one environment has it", "name one --env", Exit.USAGE)
