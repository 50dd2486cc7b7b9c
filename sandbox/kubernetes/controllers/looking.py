"""How a controller works: it looks when something changed, and again after a failure."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

import httpx

from sandbox.kubernetes.api_server import ApiServerError
from sandbox.kubernetes.controllers.compute import ComputeError

_log = logging.getLogger("sandbox.kubernetes.controllers")
_SETTLE = 0.1  # seconds: changes come in bursts, and one look serves them all
_AGAIN = 2.0  # seconds after a failure, or while something could not be deleted yet


async def look(whose: str, wake: asyncio.Event, once: Callable[[], Awaitable[bool]]) -> None:
    """Call `once` for each burst of changes until cancelled; True: look again before long."""
    again: float | None = None
    while True:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(wake.wait(), again)
        await asyncio.sleep(_SETTLE)
        wake.clear()
        try:
            again = _AGAIN if await once() else None
        except (ApiServerError, ComputeError, httpx.HTTPError, OSError) as error:
            # An object that changed meanwhile, or a server that is away: look again.
            _log.info("%s: %s; again in %.0f s", whose, error, _AGAIN)
            again = _AGAIN
        except Exception:
            _log.exception("%s: a controller failed", whose)
            again = _AGAIN
