"""Passes connections on from another address of this machine, for clients that cannot choose it.

gRPC's clients are such: they connect to an abstract Unix socket here, which Linux alone has. Its
loopback interface alone has further addresses too.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import threading

from cli.traffic.target import Target

_CHUNK = 1 << 16
_UNANSWERED = "{0.address}:{0.port} closed the connection without an answer"


def of(target: Target) -> Relay | None:
    """The relay that a target's caller needs; None where any address will do. Raises OSError."""
    return Relay(target) if target.caller else None


class Relay:
    """A socket that leads to a target's address, from the address of its caller."""

    def __init__(self, target: Target) -> None:
        """Listen. Raises OSError."""
        self._target = target
        self._name = f"platformctl-{secrets.token_hex(8)}"
        self.address = f"unix-abstract:{self._name}"
        """What a gRPC channel connects to."""
        self.reason = ""
        """Why the last connection could not be made or was closed without a byte."""
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        # A loop of its own: gRPC's callers have one of theirs, or none.
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        listening = asyncio.start_unix_server(self._accept, path=f"\0{self._name}")
        self._server = asyncio.run_coroutine_threadsafe(listening, self._loop).result()

    def close(self) -> None:
        """Close every connection."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 (asyncio runs this in one)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        target = self._target
        far: asyncio.StreamWriter | None = None
        ways: list[asyncio.Task[int]] = []
        try:
            away, far = await asyncio.open_connection(
                target.address, target.port, local_addr=(target.caller, 0)
            )
            ways = [
                asyncio.ensure_future(_pass_on(away, writer)),
                asyncio.ensure_future(_pass_on(reader, far)),
            ]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            is_unanswered = ways[0].done() and not ways[0].result()
            self.reason = _UNANSWERED.format(target) if is_unanswered else ""
        except OSError as error:
            self.reason = str(error)
        except asyncio.CancelledError:
            pass  # by `close`
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for one in (far, writer):
                if one is not None:
                    one.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
    """Pass on until the reader's side ends; how many bytes those were."""
    passed = 0
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK):
            passed += len(data)
            writer.write(data)
            await writer.drain()
    return passed
