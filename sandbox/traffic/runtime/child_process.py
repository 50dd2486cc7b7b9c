"""A process that is started again when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from sandbox import tasks

_log = logging.getLogger("sandbox.traffic")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 10.0
_HEALTHY = 10.0  # seconds after which a death counts as the first
_PATIENCE = 3.0


class ChildProcess:
    """One program, from `start` until `stop`, with a pause that grows while it keeps dying."""

    def __init__(
        self, name: str, command: Sequence[str], log: Path, environment: Mapping[str, str]
    ) -> None:
        self.name = name
        self._command = list(command)
        self._log = log
        self._environment = {**os.environ, **environment}
        self._task: asyncio.Task[None] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self.deaths = 0

    @property
    def pid(self) -> int | None:
        """The process id; None while it does not run."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    def start(self) -> None:
        """Start it, unless that is done."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """End it, by force if it does not obey."""
        task, self._task = self._task, None
        await tasks.end([task])

    async def _run(self) -> None:
        pause = _FIRST_PAUSE
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                code = await self._once()
            except OSError as error:
                _log.warning("%s does not start: %s; again in %.1f s", self.name, error, pause)
            else:
                if loop.time() - began > _HEALTHY:
                    pause = _FIRST_PAUSE
                self.deaths += 1
                _log.warning(
                    "%s ended with %s; again in %.1f s; see %s", self.name, code, pause, self._log
                )
            await asyncio.sleep(pause)
            pause = min(_LONGEST_PAUSE, pause * 2)

    async def _once(self) -> int:
        with self._log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._process = process
        try:
            return await process.wait()
        finally:
            if process.returncode is None:
                await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(_PATIENCE):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
