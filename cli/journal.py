"""What a run of a layer leaves on this machine when it is killed: its event log.

A plugin that is killed fails a creation, and the engine then takes its note of that creation out of
the state. `cli.lost_answers` notes it again when the engine has ended; a kill of engine and CLI in
between would lose it. The event log has it all the same. So the log of an update is a file that its
CLI locks while it lives and removes when all is noted. One that is left and not locked belongs to a
run that was killed. It lies in PULUMI_HOME, for secrets are masked in it, and no other machine can
know when its run has died.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cli.errors import CliError
from cli.events import Json, Run
from gkeplatform.layers import Layer


def folder(environment: Mapping[str, str]) -> Path:
    """What runs leave for one backend: `PULUMI_HOME/platform-runs/BACKEND`."""
    home = Path(environment.get("PULUMI_HOME") or Path.home() / ".pulumi")
    backend = environment.get("PULUMI_BACKEND_URL") or _logged_in(home)
    return home / "platform-runs" / hashlib.sha256(backend.encode()).hexdigest()[:16]


@contextlib.contextmanager
def kept(layer: Layer, stack: str, environment: Mapping[str, str]) -> Iterator[Path]:
    """The event log of one update. It stays when this process is killed before the block ends."""
    try:
        place = folder(environment) / layer.project
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(".events", f"{stack}.", place)
    except OSError as error:
        raise CliError(
            f"{layer.name}: cannot write {error.filename}: {error.strerror}",
            "set PULUMI_HOME to a folder that can be written",
        ) from error
    log = Path(name)
    with os.fdopen(handle, "rb") as locked:
        fcntl.flock(locked, fcntl.LOCK_EX)
        try:
            yield log
        except Exception:
            log.unlink(missing_ok=True)
            raise
        log.unlink(missing_ok=True)


def left(layer: Layer, stack: str, environment: Mapping[str, str]) -> list[Path]:
    """The event logs of killed updates of a stack, the oldest first."""
    found = (folder(environment) / layer.project).glob(f"{stack}.*.events")
    return sorted((log for log in found if _is_left(log)), key=lambda log: log.stat().st_mtime)


def creations(logs: Sequence[Path]) -> list[Json]:
    """What the killed updates were creating, or failed to create without an answer."""
    found: dict[str, Json] = {}
    for log in logs:
        run = Run()
        with contextlib.suppress(OSError), log.open(encoding="utf-8") as lines:
            for line in lines:
                try:
                    run.take(json.loads(line))
                except ValueError:
                    break  # the engine was killed while it wrote
        found |= {one["urn"]: one for one in run.unfinished}
    return list(found.values())


def _is_left(log: Path) -> bool:
    try:
        with log.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    except OSError:
        return False


def _logged_in(home: Path) -> str:
    """The backend of `pulumi login`."""
    try:
        return str(json.loads((home / "credentials.json").read_bytes()).get("current", ""))
    except (OSError, ValueError, AttributeError):
        return ""
