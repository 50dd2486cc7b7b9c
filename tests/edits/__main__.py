"""Makes the edits in a sandbox and keeps what came of each in `results.json`.

    python -m tests.edits --environment dev --only 'a model' --folder /tmp/edits

What `results.json` has is not made again; `--again` does. The sandbox in the folder is kept for the
next run: end it with `PLATFORM_SANDBOX_HOME=FOLDER/home ./platformctl sandbox reset`.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tests.edits import results
from tests.edits.edits import Edit, of_keys
from tests.edits.effects import Effect, effect
from tests.edits.named import named
from tests.edits.planning import batches
from tests.edits.running import Runner, records
from tests.rehearsal.workspace import Workspace, workspace_in


def say(text: str) -> None:
    """Print a line with the time, on stderr."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.edits")
    parser.add_argument("--environment", default="dev", choices=("dev", "stage"))
    parser.add_argument("--only", default="", help="a part of the edits' names; | between several")
    parser.add_argument("--named", action="store_true", help="not the edits of single keys")
    parser.add_argument("--again", action="store_true", help="also what is in results.json")
    parser.add_argument("--list", action="store_true", help="show the batches and make nothing")
    parser.add_argument("--seconds", type=float, default=1e9, help="begin no batch after this time")
    parser.add_argument("--folder", type=Path, help="of the sandbox and of the repository's copy")
    given = parser.parse_args()

    known = results.read()
    wanted = given.only.split("|")
    edits = {
        edit.name: edit
        for edit in (*named(), *(() if given.named else of_keys()[0].values()))
        if edit.environment == given.environment
        and any(part in edit.name for part in wanted)
        and (given.again or edit.name not in known)
    }
    effects = {name: effect(edit) for name, edit in edits.items()}
    for name in [one for one in edits if effects[one].refused or not effects[one].layers]:
        results.keep([_unmade(edits.pop(name), effects[name])])
    groups = batches(edits, effects)
    for names, layers in groups:
        say(f"{', '.join(layers)}: {', '.join(names)}")
    if given.list or not groups:
        return
    started = time.monotonic()
    runner = Runner(_workspace(given.folder), given.environment)
    runner.begin()
    for record in records(edits, groups, runner, say):
        say(f"  {record['edit']}: {record['verdict']} {record['says'][:1000]}")
        results.keep([record])
        if time.monotonic() - started > given.seconds:
            return


def _unmade(edit: Edit, effect: Effect) -> results.Record:
    """The record of an edit that no program lets pass, or that changes nothing."""
    return {
        "edit": edit.name,
        "environment": edit.environment,
        "layers": [],
        "verdict": "refused" if effect.refused else "changes nothing",
        "says": effect.refused,
    }


def _workspace(folder: Path | None) -> Workspace:
    if folder is None:
        raise SystemExit("--folder is missing: where the sandbox is kept between runs")
    folder.mkdir(parents=True, exist_ok=True)
    root = folder / "repository"
    return Workspace(root=root, home=folder / "home") if root.exists() else workspace_in(folder)


if __name__ == "__main__":
    main()
