"""How the platform that is rehearsed in a sandbox is called on this machine.

The command line imports it, beside `sandbox.lifecycle`.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from sandbox.home import Home, SandboxError
from sandbox.lifecycle import daemon_record
from sandbox.traffic.runtime import frontends as frontend_files
from sandbox.traffic.runtime.frontends import Frontend

ISSUED_WITHIN = 120.0
"""Seconds that a certificate is waited for: a sandbox that is told to take longer takes longer."""
_LOOK = 0.2

__all__ = ["Frontend", "Requests", "frontends", "requests"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """How the rehearsed platform is called on this machine."""

    is_available: bool
    """False where Envoy has no binary for the platform: then nothing answers."""
    cacert: Path
    """The certificate authority of the managed certificates."""
    frontends: list[Frontend]
    unsupported: list[dict[str, str]]
    """What is set and not carried out: resource, field, why."""
    issuing: list[str] = field(default_factory=list)
    """The managed certificates that Google is issuing: until then they are not served."""
    problem: str | None
    """Why the last changes are not in force; None where they are."""


def frontends(home: Home) -> list[Frontend]:
    """The front ends of the running sandbox; none while it is stopped. Raises SandboxError."""
    try:
        return frontend_files.read(home.traffic) if daemon_record(home) else []
    except (OSError, msgspec.MsgspecError) as error:
        raise SandboxError(
            f"{home.traffic}: {error}", "./platformctl sandbox stop, then start"
        ) from error


def requests(
    home: Home, *, patience: float = 10.0, say: Callable[[str], None] = lambda _: None
) -> Requests:
    """How to call what runs, once all changes are in force or `patience` seconds have passed.

    `say` is told which certificates Google issues meanwhile: they are waited for as well, for
    `ISSUED_WITHIN` seconds at most. Raises SandboxError where no sandbox runs.
    """
    found = _found(home, patience)
    deadline = time.monotonic() + ISSUED_WITHIN
    told: list[str] = []
    while found.issuing and time.monotonic() < deadline:
        if found.issuing != told:
            told = found.issuing
            say(f"waits until Google has issued {', '.join(told)}: PROVISIONING")
        time.sleep(_LOOK)
        found = _found(home, patience)
    return found


def _found(home: Home, patience: float) -> Requests:
    record = daemon_record(home)
    if record is None:
        raise SandboxError(
            f"the sandbox in {home.path} is not running", "./platformctl sandbox start"
        )
    question = urllib.request.Request(
        f"http://127.0.0.1:{record['port']}/sandbox/v1/traffic",
        data=json.dumps({"seconds": patience}).encode(),
        method="POST",
    )
    try:
        with urllib.request.urlopen(question, timeout=patience + 10) as answer:  # noqa: S310
            found = json.load(answer)
    except urllib.error.HTTPError as error:
        error.close()
        problem = "an earlier version runs: ./platformctl sandbox stop, and rehearse again"
        return Requests(
            is_available=True,
            cacert=home.traffic / frontend_files.CA,
            frontends=[],
            unsupported=[],
            problem=problem,
        )
    except (OSError, ValueError) as error:
        raise SandboxError(
            f"the sandbox does not say how it is called: {error}",
            f"see {home.logs / 'daemon.log'}",
        ) from error
    return Requests(
        is_available=found["isAvailable"],
        cacert=Path(found["cacert"]),
        frontends=msgspec.convert(found["frontends"], list[Frontend]),
        unsupported=found["unsupported"],
        issuing=found["issuing"],
        problem=found["refusal"]
        or (None if found["isSettled"] else f"changes are not in force after {patience:.0f} s"),
    )
