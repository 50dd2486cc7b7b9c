"""`platformctl rollback`: an earlier deployment's configuration, deployed as a new change."""

from __future__ import annotations

import os
import shlex
from typing import Annotated

import typer

from cli import arguments, confirmation, console, deployment, environments
from cli.errors import usage_error
from cli.guards import exclusion, guard
from cli.guards.run import Command
from cli.impact import text, whole
from gkeplatform.errors import PlatformError
from gkeplatform.layers import LAYERS


def rollback(
    environment: arguments.Environment,
    to: Annotated[
        int | None,
        typer.Option(
            "--to",
            help="A number from `history`. Default: the last deployment with another "
            "configuration.",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing.")] = False,
    yes: confirmation.Yes = False,
    allow_replace: arguments.AllowReplace = None,
    json: arguments.Json = False,
) -> None:
    """Write the stack file of an earlier deployment, and deploy it as a new change.

    Shows the impact before it asks; where the answer is no, or something protected would be lost,
    the file is as before. The programs stay as they are, and so does git: commit the file when the
    rollback is to stay.
    """
    from cli.comparison import declaration  # noqa: PLC0415 (the programs' modules are slow)
    from cli.comparison import report as comparison  # noqa: PLC0415
    from cli.comparison.differences import differences  # noqa: PLC0415
    from cli.history import report, rollback  # noqa: PLC0415
    from cli.promotion import plan  # noqa: PLC0415

    environments.checked(environment)
    if not dry_run:
        confirmation.check_credentials()
        confirmation.check(yes=yes)
    found = report.read(environment, os.environ)
    target = rollback.aim(found, environment, to)
    try:
        files, told = rollback.restored(environment, environments.ROOT, target)
        before = declaration.read(environment, environments.ROOT)
        after = plan.check(files)
    except PlatformError as error:
        raise usage_error(error) from None
    differing = differences(before, after)
    told += rollback.lost(found, target)
    console.say(f"{environment} back to deployment {target.number}")
    for line in (*comparison.lines(differing), *(f"  {line}" for line in told)):
        console.say(line)
    content = {
        "environment": environment,
        "to": report.document(target),
        "changes": [comparison.document(one) for one in differing],
        "said": told,
    }
    if dry_run:
        if json:
            console.document(content)
        return
    changed = [*files.changed, *files.deleted]
    given = allow_replace or ()
    flags = [word for name in given for word in ("--allow-replace", name)]
    command = Command("rollback", environment, flags=["--to", str(target.number), *flags])
    with exclusion.held(environment, shlex.join(command.words()), os.environ):
        try:
            files.save()
            console.say(text.plain(whole.impact(environment, os.environ)))
            allowed = guard.check_update(environment, os.environ, LAYERS, given, command.words())
            confirmation.ask(f"keep {', '.join(changed) or 'the files'}, and deploy?", yes=yes)
        except BaseException:
            files.undo()
            raise
        document = deployment.up(
            environment, os.environ, interactive=False, preview=False, allowed=allowed
        )
    if changed:
        console.say(f"to keep it: git add {' '.join(changed)} && git commit")
    if json:
        console.document(content | document)
    else:
        print("\n" + deployment.summary(document))
