"""Requests to a model while something else happens."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cli.traffic import load
from cli.traffic.figures import Result
from cli.traffic.target import Target
from tests.rehearsal.workspace import Workspace

SECONDS = 300
"""The longest that a load goes on; it ends with what it is for."""


@contextmanager
def under_load(
    workspace: Workspace, environment: str, model: str, found: dict[str, Any]
) -> Iterator[None]:
    """Requests to the model until the end of the context; `found` gets what came of them.

    Its `errors` are the load balancer's log of the answers 5xx, which tells their cause.
    """
    log = workspace.home / "logs" / "requests.log"
    begin = log.stat().st_size if log.exists() else 0
    command = workspace.command(
        "load", environment, model, "--rate", "50", "--seconds", str(SECONDS), "--json"
    )
    with subprocess.Popen(
        command,
        cwd=workspace.root,
        env=workspace.base_environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        try:
            yield
        finally:
            child.send_signal(signal.SIGINT)
            output, _ = child.communicate(timeout=120)
    found.update(json.loads(output), errors=_errors(log, begin))


def _errors(log: Path, begin: int) -> list[dict[str, Any]]:
    with log.open("rb") as file:
        file.seek(begin)
        lines = [json.loads(line) for line in file if line.endswith(b"}\n")]
    return [one for one in lines if int(one.get("httpRequest", {}).get("status") or 0) >= 500]


def streams(url: str, host: str, body: dict[str, Any], **headers: str) -> Target:
    """Streamed answers of a language model. `url` has the front end's port, and the path."""
    parts = urlsplit(url)
    return Target(
        address=str(parts.hostname),
        port=parts.port or 0,
        host=host,
        path=parts.path,
        method="POST",
        headers={"Content-Type": "application/json", **headers},
        body=json.dumps({**body, "stream": True}).encode(),
    )


def streams_during(target: Target, act: Callable[[], None], *, rate: float) -> Result:
    """What became of streams, some of which were under way while something was done.

    `act` begins once the first of them has its answer, and later ones are under way.
    """

    async def main() -> Result:
        answered, end = asyncio.Event(), asyncio.Event()

        def look(found: Result) -> None:
            if found.answered:
                answered.set()

        sent = asyncio.create_task(
            load.run(target, rate=rate, seconds=SECONDS, end=end, on_tick=look, tick=0.1)
        )
        first = asyncio.create_task(answered.wait())
        try:
            await asyncio.wait((sent, first), return_when=asyncio.FIRST_COMPLETED)
            assert answered.is_set(), "no stream was answered"
            await asyncio.to_thread(act)
        finally:
            end.set()
            first.cancel()
        return await sent

    return asyncio.run(main())
