"""Makes the edits in a sandbox and keeps what came of each in `results.json`.

    python -m tests.edits --environment dev --only 'a model' --folder /tmp/edits

What `results.json` has is not made again; `--again` does. The sandbox in the folder is kept for the
next run: end it with `PLATFORM_SANDBOX_HOME=FOLDER/home ./platformctl sandbox reset`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.edits import results
from tests.edits.edits import ENVIRONMENTS, Edit, committed, of_keys
from tests.edits.effects import effect
from tests.edits.merging import merged
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
    parser.add_argument("--environment", default="dev", choices=ENVIRONMENTS)
    parser.add_argument("--only", default="", help="a part of the edits' names; | between several")
    parser.add_argument("--named", action="store_true", help="not the edits of single keys")
    parser.add_argument("--alone", action="store_true", help="each edit by itself")
    parser.add_argument("--again", action="store_true", help="also what is in results.json")
    parser.add_argument("--list", action="store_true", help="show the batches and make nothing")
    parser.add_argument("--seconds", type=float, default=1e9, help="begin no batch after this time")
    parser.add_argument("--folder", type=Path, help="of the sandbox and of the repository's copy")
    given = parser.parse_args()
    started = time.monotonic()

    known = results.read()
    wanted = given.only.split("|")
    edits = {
        edit.name: edit
        for edit in (*named(), *(() if given.named else of_keys()[0].values()))
        if edit.environment == given.environment
        and any(part in edit.name for part in wanted)
        and (given.again or edit.name not in known)
    }
    groups = [[name] for name in edits] if given.alone else batches(edits)
    if given.list or not groups:
        for names in groups:
            say(f"{len(names)}: {' | '.join(names)}")
        return
    runner = Runner(_workspace(given.folder), given.environment)
    runner.begin()
    accepted = (part for names in groups for part in _accepted(names, edits))
    for made in records(
        edits, accepted, runner, say, lambda: time.monotonic() - started > given.seconds
    ):
        verdicts = {one["verdict"] for one in made}
        first = made[0]
        figures = f"{first.get('seconds', 0)} s, lost {first.get('lost', 0)}"
        unpredicted = f"unpredicted {first.get('unpredicted', [])} of {first.get('resources', 0)}"
        unpredicted += f", unknown {first.get('unknown', [])}"
        say(f"  {', '.join(verdicts)}; {figures}, {unpredicted} {first['says'][:2000]}")
        for line in first.get("losses", ()):
            say(f"    lost: {line}")
        results.keep(made)


def _accepted(names: Sequence[str], edits: Mapping[str, Edit]) -> Iterator[list[str]]:
    """The batch without those that the programs refuse beside the others on mocks, and these.

    Single edits are as they are.
    """
    together: list[str] = []
    for part in _halved(names, edits):
        if not together or not _is_refused([*together, *part], edits):
            together += part
        else:
            yield part
    yield together


def _halved(names: Sequence[str], edits: Mapping[str, Edit]) -> Iterator[list[str]]:
    if len(names) == 1 or not _is_refused(names, edits):
        yield list(names)
        return
    half = len(names) // 2
    yield from _halved(names[:half], edits)
    yield from _halved(names[half:], edits)


def _is_refused(names: Sequence[str], edits: Mapping[str, Edit]) -> bool:
    environment = edits[names[0]].environment
    values = merged(committed(environment), [edits[name] for name in names])
    return bool(effect(Edit("a batch", environment, values)).refused)


def _workspace(folder: Path | None) -> Workspace:
    if folder is None:
        raise SystemExit("--folder is missing: where the sandbox is kept between runs")
    folder.mkdir(parents=True, exist_ok=True)
    root = folder / "repository"
    return Workspace(root=root, home=folder / "home") if root.exists() else workspace_in(folder)


if __name__ == "__main__":
    main()
