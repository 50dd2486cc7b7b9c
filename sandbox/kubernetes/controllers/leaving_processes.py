"""Programs whose pods are deleted, and which go on as a kubelet has it: for their preStop sleep.

They keep the answers that pass through them, and are asked nothing new. A program ends before its
time once nobody is connected to it any more, which nobody can tell from outside.
"""

from __future__ import annotations

import asyncio
import time

from sandbox.kubernetes.controllers.pod_process import PodProcess

GRACE = 5.0
"""Seconds that a program has to end, once it is asked to."""


class LeavingProcesses:
    """The programs of deleted pods."""

    def __init__(self) -> None:
        self._until: dict[PodProcess, float] = {}

    def __bool__(self) -> bool:
        return bool(self._until)

    def add(self, process: PodProcess, pause: float) -> None:
        """A pod is deleted; its program goes on for `pause` seconds at most."""
        self._until[process] = time.monotonic() + pause

    async def end(self) -> None:
        """End those whose time is over, or whose last caller has gone."""
        now = time.monotonic()
        for process, until in [*self._until.items()]:
            if now >= until or not process.may_have_callers():
                del self._until[process]
                # A leader gives up its lease when it is asked to end.
                await asyncio.to_thread(process.stop, grace=GRACE)

    async def kill(self) -> None:
        """End all of them at once."""
        for process in self._until:
            await asyncio.to_thread(process.stop)
        self._until.clear()
