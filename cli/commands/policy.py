"""`platformctl policy`: lists, explains, checks and simulates the policies. Deploys nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from cli import arguments, console, environments, judging, layers, reports
from cli.errors import CliError, Exit, meant, usage_error
from gkeplatform.errors import PlatformError
from gkeplatform.layers import LAYERS
from policies.check import Report, judge
from policies.former_ids import current_id
from policies.profiles import Profile, restricted
from policies.registry import RULES
from policies.reports import FORMATS, as_json
from policies.rule import Level, Rule
from policies.sources import UnreadableError, read_all
from policies.subjects import Resource

app = typer.Typer(no_args_is_help=True, help="List, explain, check and simulate the policies.")


@app.command("list")
def list_(as_json_: reports.AsJson = False) -> None:
    """List all rules."""
    if as_json_:
        print(json.dumps([as_json.rule(rule) for rule in RULES], indent=2))
        return
    width = max(len(rule.id) for rule in RULES)
    for rule in RULES:
        print(f"{rule.id:<{width}}  {rule.level:<10} {rule.severity:<9} {rule.layer}")
    console.say(f"{len(RULES)} rules; `./platformctl policy explain RULE` explains one")


def _rules(incomplete: str) -> list[tuple[str, str]]:
    return [(rule.id, rule.title) for rule in RULES if rule.id.startswith(incomplete)]


@app.command()
def explain(
    rule: Annotated[str, typer.Argument(help="The id of a rule.", autocompletion=_rules)],
    as_json_: reports.AsJson = False,
) -> None:
    """Explain a rule: what it requires, why, and how to comply."""
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
        typer.Argument(
            help="Files or folders: manifests, stack exports, API clusters; - is stdin."
        ),
    ] = None,
    env: arguments.Environments = None,
    layer: arguments.Layers = None,
    deployed: Annotated[bool, typer.Option("--deployed", help="Judge the stacks' state.")] = False,
    preview: Annotated[
        bool,
        typer.Option("--preview", help="Judge a preview of the engine."),
    ] = False,
    defer_unknown: Annotated[
        bool,
        typer.Option(
            "--defer-unknown",
            help="Report values not known before the update; do not fail.",
        ),
    ] = False,
    profile: Annotated[
        Profile | None,
        typer.Option(
            "--profile",
            help="The rules that files are held to. Default: gke; with --env, platform.",
        ),
    ] = None,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Exit with 9 if no rule is for the kind of some object."),
    ] = False,
    output: reports.To = reports.Output.TEXT,
    also: reports.Also = None,
    as_json_: reports.AsJson = False,
) -> None:
    """Judge files, or what the environments declare, or a preview, or what is deployed.

    Exit codes: 0 without violations, 5 with violations, 2 when something could not be judged,
    9 with --strict when there are no violations and no rule is for the kind of some object.
    """
    if deployed and preview:
        raise CliError(
            "--deployed and --preview exclude each other", "leave one of them out", Exit.USAGE
        )
    if defer_unknown and not preview:
        raise CliError("--defer-unknown needs --preview", "add --preview", Exit.USAGE)
    if files and (layer or deployed or preview):
        hint = "leave them out"
        message = "--layer, --deployed and --preview do not apply to files"
        raise CliError(message, hint, Exit.USAGE)
    if profile and not files:
        raise CliError("--profile applies to files only", "leave it out", Exit.USAGE)
    further = reports.files(also)
    if files:
        _only_one(env)
        pack = judging.pack_of(env[0] if env else "")
        pack = restricted(pack, profile or (Profile.PLATFORM if env else Profile.GKE))
        resources, unreadable = _read(files)
        report = judge(resources, pack, environment=env[0] if env else "")
        report.unreadable = unreadable
    elif preview:
        report = judging.previews(_environments(env), layers.selected(layer), defer=defer_unknown)
    else:
        find = judging.deployed_by if deployed else judging.declared_by
        report = judging.judged(_environments(env), layers.selected(layer), find)
    reports.write(report, reports.Output.JSON if as_json_ else output, further)
    if strict and report.unjudged:
        raise typer.Exit(Exit.UNJUDGED)


@app.command()
def simulate(
    rule: Annotated[
        str, typer.Option("--rule", "-r", help="The rule to try.", autocompletion=_rules)
    ],
    level: Annotated[Level, typer.Option("--level", help="The level to try it at.")] = (
        Level.MANDATORY
    ),
    env: arguments.Environments = None,
    output: reports.To = reports.Output.TEXT,
    as_json_: reports.AsJson = False,
) -> None:
    """Show what a rule would refuse in each environment. Changes nothing."""
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


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="A folder that is new or empty.")],
) -> None:
    """Write the pack as a folder of its own, for `pulumi policy publish`."""
    from policies import publishing  # noqa: PLC0415 (only for this command)

    try:
        publishing.write(environments.ROOT, folder)
    except PlatformError as error:
        raise usage_error(error) from None
    except OSError as error:
        reason = f"{error.filename or folder}: cannot be written: {error.strerror}"
        raise CliError(reason, "", Exit.USAGE) from None
    console.say(f"written; publish it: $ cd {folder} && pulumi policy publish ORGANIZATION")


def _rule(name: str) -> Rule:
    by_id = {rule.id: rule for rule in RULES}
    name = current_id(name, "policy")
    if name in by_id:
        return by_id[name]
    hint = f"{meant(name, by_id)}`./platformctl policy list` lists all rules"
    raise CliError(f"there is no rule `{name}`", hint, Exit.USAGE)


def _read(files: Iterable[Path]) -> tuple[list[Resource], list[str]]:
    """The resources, and what could not be read. Raises CliError if nothing else is there."""
    resources, unreadable = read_all(files)
    if unreadable and not resources:
        raise usage_error(UnreadableError(unreadable[0]))
    return resources, unreadable


def _environments(given: list[str] | None) -> list[str]:
    return [environments.checked(name) for name in given] if given else environments.names()


def _only_one(env: list[str] | None) -> None:
    if env and len(env) > 1:
        raise CliError(
            "files are judged by the settings of one environment", "give one --env", Exit.USAGE
        )
