"""Small HTTP/1.1 servers on loopback that tell what they were asked. Not a test."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Behaviour:
    """What a server does; tests change it while it runs."""

    status: int = 200
    healthy: bool = True
    delay: float = 0
    hangs_up: bool = False
    headers: dict[str, str] = field(default_factory=dict)


class EchoServers:
    """Servers in one thread; each answers with its number and the request that it received."""

    def __init__(self, count: int) -> None:
        self.behaviours = [Behaviour() for _ in range(count)]
        self.requests: Counter[int] = Counter()
        self.paths: Counter[tuple[int, str]] = Counter()
        self.probes: list[dict[str, str]] = []
        self.ports: list[int] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._servers: list[asyncio.Server] = []
        asyncio.run_coroutine_threadsafe(self._start(count), self._loop).result()

    async def _start(self, count: int) -> None:
        for number in range(count):
            server = await asyncio.start_server(self._handler(number), "127.0.0.1", 0)
            self._servers.append(server)
            self.ports.append(server.sockets[0].getsockname()[1])

    def reset(self) -> None:
        for number in range(len(self.behaviours)):
            self.behaviours[number] = Behaviour()
        self.requests.clear()
        self.paths.clear()

    def close(self) -> None:
        async def stop() -> None:
            for server in self._servers:
                server.close()
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _handler(self, number: int):  # type: ignore[no-untyped-def]
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                while await self._answer(number, reader, writer):
                    pass
            except (asyncio.CancelledError, asyncio.IncompleteReadError, ConnectionError):
                pass
            finally:
                writer.close()

        return handle

    async def _answer(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        verb, path, _ = head[0].split(" ")
        pairs = [line.split(": ", 1) for line in head[1:] if line]
        headers = {name.lower(): value for name, value in pairs}
        body = b""
        if length := int(headers.get("content-length", 0)):
            body = await reader.readexactly(length)
        elif "chunked" in headers.get("transfer-encoding", ""):
            body = await _chunks(reader)
        behaviour = self.behaviours[number]
        if path == "/healthz":
            self.probes.append(headers | {":number": str(number)})
            _write(writer, 200 if behaviour.healthy else 500, b"", {})
            return True
        self.requests[number] += 1
        self.paths[number, path] += 1
        if behaviour.hangs_up:
            return False
        if behaviour.delay:
            await asyncio.sleep(behaviour.delay)
        told = {
            "server": number,
            "method": verb,
            "path": path,
            "headers": headers,
            "body": body.decode("latin-1"),
        }
        _write(writer, behaviour.status, json.dumps(told).encode(), behaviour.headers)
        await writer.drain()
        return True


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return body


def _write(writer: asyncio.StreamWriter, status: int, body: bytes, headers: dict[str, str]) -> None:
    lines = [f"HTTP/1.1 {status} Said", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    writer.write("\r\n".join([*lines, "", ""]).encode() + body)
