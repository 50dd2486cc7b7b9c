"""The loop of a controller: reconcile after changes, and retry after failures."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

import httpx

from sandbox.kubernetes.api_server import ApiServerError
from sandbox.kubernetes.controllers.compute import ComputeError

_log = logging.getLogger("sandbox.kubernetes.controllers")
_SETTLE = 0.1  # seconds to wait for a burst of changes to end
_AGAIN = 2.0  # seconds until a retry


async def reconcile_loop(
    whose: str, wake: asyncio.Event, once: Callable[[], Awaitable[bool]]
) -> None:
    """Call `once` after each burst of changes until cancelled. It returns True to be retried."""
    again: float | None = None
    while True:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(wake.wait(), again)
        await asyncio.sleep(_SETTLE)
        wake.clear()
        try:
            again = _AGAIN if await once() else None
        except (ApiServerError, ComputeError, httpx.HTTPError, OSError) as error:
            # An object changed meanwhile, or a server is unavailable: retry.
            _log.info("%s: %s; again in %.0f s", whose, error, _AGAIN)
            again = _AGAIN
        except Exception:
            _log.exception("%s: a controller failed", whose)
            again = _AGAIN
