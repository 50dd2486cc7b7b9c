"""`platformctl drill`: does one thing to a rehearsed environment under load."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli import arguments, console
from cli.errors import CliError, Exit


def _list(value: bool) -> None:
    if value:
        from cli.drills import catalog  # noqa: PLC0415 (as below)

        print(catalog.table())
        raise typer.Exit


def _drills(incomplete: str) -> list[tuple[str, str]]:
    from cli.drills import catalog  # noqa: PLC0415 (as below)

    return [(one.name, one.summary) for one in catalog.DRILLS if one.name.startswith(incomplete)]


def drill(  # noqa: PLR0913, PLR0917 (an option each)
    name: Annotated[str, typer.Argument(help="A drill: see --list.", autocompletion=_drills)],
    environment: arguments.Environment,
    model: Annotated[
        str | None,
        typer.Argument(
            help="A model. Default: the first with two replicas that the drill fits.",
            autocompletion=arguments.model_names,
        ),
    ] = None,
    rate: Annotated[
        float, typer.Option("--rate", min=1, max=10_000, help="Requests a second.")
    ] = 200.0,
    seconds: Annotated[
        float,
        typer.Option(
            "--seconds", min=2, help="How long is observed before, after, and at each step."
        ),
    ] = 5.0,
    list_: Annotated[  # noqa: ARG001 (its callback prints and exits)
        bool,
        typer.Option("--list", help="Print the drills, and exit.", is_eager=True, callback=_list),
    ] = False,
    real: Annotated[
        bool, typer.Option("--real", help="Say what does the same in the account.")
    ] = False,
    json: arguments.Json = False,
    report_: Annotated[
        Path | None,
        typer.Option(
            "--report", help="Also draw the course: a page (FILE.html) or a chart (FILE.svg)."
        ),
    ] = None,
) -> None:
    """Do one thing to a rehearsed environment under load, take it back, and count what was lost.

    Exit codes: 0; 1 if a request was lost or the disruption budget broken, where neither may be,
    or if requests were refused.
    """
    from cli import routing  # noqa: PLC0415 (the programs' modules are slow)
    from cli.courses import following, record  # noqa: PLC0415
    from cli.drills import catalog, course, running, staging  # noqa: PLC0415
    from cli.drills.report import hint  # noqa: PLC0415
    from cli.pictures import files  # noqa: PLC0415

    form = files.form(report_, course.FORMS) if report_ else ""
    chosen = catalog.find(name)
    if real:
        raise CliError(
            f"drills run in the sandbox; in the account, {name} is: {chosen.real}",
            f"`./platformctl load {environment} MODEL --real --fail-on-loss` counts meanwhile",
            Exit.USAGE,
        )
    plan = routing.plan(environment)
    known = staging.model(plan, chosen, model)
    with staging.scene(plan, chosen, known, seconds) as (scene, target):
        console.say(f"{name} of {known.name}  {target.method} {target.url}  {rate:g} requests/s")
        subject = course.Subject(
            environment=environment, model=known.name, url=target.url, rate=rate
        )
        with record.kept(environment, scene.updates.variables) as keep:
            begun = subject.begun(chosen, began=following.now())
            follower = following.Follower(begun, keep)
            report = running.run(chosen, scene, target, rate, follower.note)
            keep(course.course(report, begun))
    if report_ is not None:
        files.write(report_, course.picture(report, subject, form))
        console.say(f"wrote {report_}")
    if json:
        document = {"environment": environment, "model": known.name, "rate": rate}
        console.document({**document, "url": target.url, **report.document()})
    else:
        print(report.text())
    if report.problems:
        console.say(f"failed: {'; '.join(report.problems)}")
        if why := hint(report, known.exposure.kind):
            console.say(f"hint: {why}")
        raise typer.Exit(Exit.ERROR)
