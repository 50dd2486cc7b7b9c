"""`platformctl promote`: writes values of one environment into another's files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import arguments, confirmation, console, environments
from cli.errors import CliError, Exit, usage_error
from cli.impact import text, whole
from gkeplatform.errors import PlatformError

if TYPE_CHECKING:
    from cli.promotion.plan import Plan


def promote(  # noqa: PLR0917 (each is an option of its own)
    source: arguments.Environment,
    target: arguments.Environment,
    models: Annotated[
        bool, typer.Option("--models", help="Only images, and versions of the models' files.")
    ] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            help="A key as `diff` prints it, with all below it, such as "
            "'gke-serving:models[resnet].replicas'; repeatable.",
        ),
    ] = None,
    everything: Annotated[
        bool,
        typer.Option("--all", help="All that the source's files state, but what must differ."),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing.")] = False,
    yes: confirmation.Yes = False,
    json: arguments.Json = False,
) -> None:
    """Write values of one environment into the other's files, and preview what they change.

    Comments and order are kept. The files are checked before they are written. Project, domain
    and region of the target replace those of the source. Secrets are not copied. What must differ
    is written only where --only names it.
    """
    from cli.comparison import report  # noqa: PLC0415 (the programs' modules are slow)
    from cli.promotion import plan as plans  # noqa: PLC0415

    _check(source, target, models=models, only=only, everything=everything, skips=yes or dry_run)
    if yes and not (models or only or everything or dry_run):
        raise CliError(
            "--yes needs a choice of what to promote",
            "add --models, --only KEY or --all; --dry-run lists what there is",
            Exit.USAGE,
        )
    try:
        made = plans.plan(source, target, environments.ROOT, only=only or (), models=models)
        if made.chosen:
            plans.check(made.files)
    except PlatformError as error:
        wrong = usage_error(error)
        wrong.hint = (
            "nothing has been written; mend the file, or choose other keys with --only: a key "
            "brings all that the source has below it"
        )
        raise wrong from None
    if not json:
        print(_text(made))
    is_written = False
    if made.chosen and not dry_run:
        confirmation.ask(f"write {', '.join(made.files.changed)}?", yes=yes)
        changed = made.files.changed
        made.files.save()
        is_written = True
        console.say(f"written: {', '.join(changed)}")
        _preview(target)
    if json:
        console.document(_document(made, report, is_written=is_written))


def _check(
    source: str,
    target: str,
    *,
    models: bool,
    only: list[str] | None,
    everything: bool,
    skips: bool,
) -> None:
    for name in (source, target):
        environments.checked(name)
    if source == target:
        raise CliError("an environment is not promoted to itself", "name two", Exit.USAGE)
    if sum((models, bool(only), everything)) > 1:
        raise CliError(
            "--models, --only and --all exclude each other", "leave all but one out", Exit.USAGE
        )
    if not skips:
        confirmation.check(yes=False)


def _preview(target: str) -> None:
    """The impact on the target, where there are credentials to ask with."""
    if confirmation.has_credentials():
        console.say(text.plain(whole.impact(target, os.environ)))
    else:
        console.say(f"`./platformctl preview {target}` shows what this changes")


def _text(made: Plan) -> str:
    from cli.comparison import report  # noqa: PLC0415

    lines = [
        f"  {one.key}: {report.value(one.target)} -> {report.value(one.source)}"
        for one in made.chosen
    ]
    lines = [f"{made.source} to {made.target}", *(lines or ["  nothing to promote"])]
    for title, part in (("in the target's words", made.translated), ("left as it is", made.told)):
        if part:
            lines += ["", title, *(f"  {line}" for line in part)]
    return "\n".join(lines)


def _document(made: Plan, report: Any, *, is_written: bool) -> dict[str, Any]:
    return {
        "source": made.source,
        "target": made.target,
        "written": is_written,
        "files": sorted({made.files.place(one.target_path)[0] for one in made.chosen}),
        "changes": [report.document(one) for one in made.chosen],
        "translated": made.translated,
        "left": made.told,
    }
