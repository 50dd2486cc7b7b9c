"""The load engine against a server that does nothing else, both in one process.

    python -m benchmarks.load [--rate 2000] [--seconds 10]

Prints what was sent and answered, the latencies, and the processor time of engine and server.
"""

from __future__ import annotations

import asyncio
import time

import uvloop

from benchmarks import history
from benchmarks.history import Figure
from cli.traffic import load
from cli.traffic.figures import Result
from cli.traffic.target import Target

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Served-By-Pod: a\r\n\r\n{}"


class Server(asyncio.Protocol):
    """Answers every request at once; a request comes in one piece."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:  # noqa: ARG002
        self._transport.write(ANSWER)  # type: ignore[attr-defined]  # a stream's transport


async def measure(rate: float, seconds: float) -> Result:
    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    target = Target(
        address="127.0.0.1", port=port, host="m.example", path="/", method="POST", body=b"{}"
    )
    try:
        return await load.run(target, rate=rate, seconds=seconds)
    finally:
        server.close()


def main() -> None:
    parser = history.parser(__doc__)
    parser.add_argument("--rate", type=float, default=2000)
    parser.add_argument("--seconds", type=float, default=10)
    given = parser.parse_args()
    history.check(given)
    started = time.process_time()
    result = uvloop.run(measure(given.rate, given.seconds))
    spent = time.process_time() - started
    found = result.latencies.milliseconds()
    print(f"{result.sent} sent, {result.answered} answered, {result.total_lost} lost")
    print(f"p50 {found['p50']} ms, p99 {found['p99']} ms, longest {found['max']} ms")
    print(f"{spent:.2f} s of processor time, {spent / result.sent * 1e6:.0f} µs a request")
    each = f"processor time of a request at {given.rate:g} requests/s"
    figure = Figure(figure=each, value=spent / result.sent * 1e6, unit="µs")
    history.keep(given, "load", [figure])


if __name__ == "__main__":
    main()
