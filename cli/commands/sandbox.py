"""`platformctl sandbox`: starts, stops, resets and shows the sandbox, and prints its variables."""

from __future__ import annotations

import json as json_module
import os
import shlex
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

import msgspec
import typer

from cli import arguments, console
from cli.errors import CliError
from sandbox import engine, lifecycle

app = typer.Typer(
    no_args_is_help=True, help="The sandbox: an emulated Google Cloud on this machine."
)


def running_environment(
    base: Mapping[str, str], plugins: arguments.Which | None = None
) -> dict[str, str]:
    """`base` with the sandbox's variables; starts the sandbox if it is stopped. Raises CliError."""
    home = lifecycle.Home.default()
    try:
        tools = engine.ensure(console.say)
        lifecycle.start(home, tools, console.say, _google_plugin(home, tools, plugins))
        inherited = {k: v for k, v in base.items() if k not in lifecycle.foreign()}
        return {**inherited, **lifecycle.environment(home, base)}
    except (engine.EngineError, lifecycle.SandboxError) as error:
        raise CliError(str(error), error.hint) from error


def _google_plugin(
    home: lifecycle.Home, tools: engine.Engine, asked: arguments.Which | None
) -> Path | None:
    """The official plugin's binary; None for ours. Raises CliError where it was asked for."""
    chosen = asked or lifecycle.plugins(home)
    if chosen == arguments.Which.OWN:
        return None
    is_asked = asked == arguments.Which.OFFICIAL
    found = engine.google_plugin.find(tools.pulumi, console.say, again=is_asked)
    if found is None and is_asked:
        raise CliError(engine.google_plugin.refusal(), "--plugins own needs no download")
    return found


@app.command()
def start(plugins: arguments.Plugins = None) -> None:
    """Start the sandbox with the state of earlier runs."""
    running_environment(dict(os.environ), plugins)
    _show(lifecycle.status(lifecycle.Home.default()))


@app.command()
def stop() -> None:
    """End every process that the sandbox started; keep its state."""
    ended = _guarded(lifecycle.stop)
    console.say(f"ended {ended} processes")


@app.command()
def reset() -> None:
    """Stop the sandbox and delete its state."""
    ended = _guarded(lifecycle.reset)
    console.say(f"ended {ended} processes; deleted {lifecycle.Home.default().path}")


@app.command()
def status(json: arguments.Json = False) -> None:
    """Show whether the sandbox runs, its home, memory and clusters."""
    found = lifecycle.status(lifecycle.Home.default())
    if json:
        frontends = [msgspec.to_builtins(one) for one in found.frontends]
        console.document({**asdict(found), "frontends": frontends})
    else:
        _show(found)


@app.command()
def env(json: arguments.Json = False) -> None:
    """Print the variables that select the sandbox: eval "$(./platformctl sandbox env)"."""
    home = lifecycle.Home.default()
    try:
        variables = lifecycle.environment(home)
    except lifecycle.SandboxError as error:
        raise CliError(str(error), error.hint) from error
    if json:
        print(json_module.dumps(variables, indent=2))
        return
    for name, value in variables.items():
        print(f"export {name}={shlex.quote(value)}")


def _guarded(action: Callable[[lifecycle.Home], int]) -> int:
    try:
        return action(lifecycle.Home.default())
    except lifecycle.SandboxError as error:
        raise CliError(str(error), error.hint) from error


def _show(found: lifecycle.Status) -> None:
    if found.running:
        print(f"running   port {found.port}, process {found.pid}, since {found.started}")
    else:
        print("stopped")
    print(f"home      {found.home}")
    if found.plugins:
        print(f"plugins   {found.plugins} (Google Cloud)")
    print(f"memory    {found.memory_mib} MiB in {found.processes} processes")
    for name, state in found.clusters.items():
        print(f"cluster   {name}: {state}")
    for one in found.frontends:
        if one.kind != "node-port":
            there = f"{one.scheme}://{one.address}:{one.port}"
            print(f"requests  {there} at 127.0.0.1:{one.listens} ({one.kind}, {one.project})")
