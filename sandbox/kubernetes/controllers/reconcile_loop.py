"""The loop of a controller: reconcile after changes, and retry after failures."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

import httpx

from sandbox.engine import EngineError
from sandbox.kubernetes.api_server import ApiServerError
from sandbox.kubernetes.controllers.compute import ComputeError
from sandbox.kubernetes.controllers.state_log import StateLog

_log = logging.getLogger("sandbox.kubernetes.controllers")
_SETTLE = 0.1  # seconds to wait for a burst of changes to end
AGAIN = 2.0
"""Seconds until a retry."""


async def reconcile_loop(
    whose: str,
    wake: asyncio.Event,
    once: Callable[[], Awaitable[float | None]],
    *,
    settle: float = _SETTLE,
) -> None:
    """Call `once` after each burst of changes, until cancelled.

    It returns the seconds after which it is called without a change; None: never.
    """
    again: float | None = None
    failed = StateLog(_log)
    while True:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(again):
                await wake.wait()
        await asyncio.sleep(settle)
        wake.clear()
        try:
            again = await once()
            failed.keep(())
        except (ApiServerError, ComputeError, EngineError, httpx.HTTPError, OSError) as error:
            # An object changed meanwhile, or a server is unavailable: retry.
            failed.say(whose, f"{whose}: {error}; again every {AGAIN:.0f} s")
            again = AGAIN
        except Exception:
            _log.exception("%s: a controller failed", whose)
            again = AGAIN
