"""One update of an environment at a time on this machine.

Pulumi locks each stack while it works on it. Two updates of four layers would pass each other
between these locks, and two that begin at once can refuse each other. The operating system gives
this lock back when its process dies, so that none is left behind. Runs on other machines meet at
Pulumi's lock (`holders`).
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import getpass
import json
import os
import re
from collections.abc import Iterator, Mapping

from cli import journal
from cli.errors import CliError, Exit

_HELD = re.compile(r"created by (\S+)@(\S+) \(pid (\d+)\) at (\S+)")


@contextlib.contextmanager
def held(environment: str, command: str, variables: Mapping[str, str]) -> Iterator[None]:
    """Hold the environment while it is changed. Raises CliError with who else holds it."""
    place = journal.folder(variables)
    path = place / f"{environment}.lock"
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise CliError(
            f"cannot write {error.filename}: {error.strerror}",
            "set PULUMI_HOME to a folder that can be written",
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            raise _refusal(environment, file.read()) from None
        file.truncate(0)
        file.write(json.dumps(_owner(command)))
        file.flush()
        yield


def told(output: str) -> str | None:
    """Who holds Pulumi's lock of a stack, by the error of the Pulumi CLI; None for another error.

    Backends in a bucket or folder say it; Pulumi Cloud says only that there is an update.
    """
    owners = [
        f"{user} on {host} (pid {pid}) since {since}"
        for user, host, pid, since in _HELD.findall(output)
    ]
    if owners:
        return " and ".join(owners)
    return "another update" if "Another update is currently in progress" in output else None


def _owner(command: str) -> dict[str, str | int]:
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return {
        "user": getpass.getuser(),
        "host": os.uname().nodename,
        "pid": os.getpid(),
        "since": now.replace("+00:00", "Z"),
        "command": command,
    }


def _refusal(environment: str, text: str) -> CliError:
    try:
        owner = json.loads(text)
        who = (
            f"{owner['user']} on {owner['host']} (pid {owner['pid']}) since {owner['since']}: "
            f"`{owner['command']}`"
        )
    except (ValueError, KeyError, TypeError):
        who = "a run that has just begun"
    return CliError(
        f"{environment} is being changed by {who}",
        "wait for its end, then run the same command again; nothing was touched",
        Exit.LOCKED,
    )
