"""The load engine against small servers: what is sent, answered and lost, and when."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from cli.traffic import load
from cli.traffic.connection import Answer, Connection, Loss
from cli.traffic.figures import Figures, Latencies, Result
from cli.traffic.load import places, sending
from cli.traffic.running import summary
from cli.traffic.target import Target

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Served-By-Pod: %b\r\n\r\n{}"
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def run(handler: Handler, *, seconds: float = 0.2, rate: float = 200, **options: Any) -> Result:
    """The result of a load on a server with this handler."""

    async def main() -> Result:
        async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await handler(reader, writer)
            except (asyncio.IncompleteReadError, ConnectionError):
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(guarded, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        method = options.pop("method", "GET")
        path = options.pop("path", "/x")
        target = Target(address="127.0.0.1", port=port, host="m.example", path=path, method=method)
        try:
            return await load.run(target, rate=rate, seconds=seconds, **options)
        finally:
            server.close()

    return asyncio.run(main())


def answering(*answers: bytes) -> Handler:
    """A server that gives its answers in turn, on all connections together."""
    given = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal given
        while True:
            await reader.readuntil(b"\r\n\r\n")
            answer = answers[given % len(answers)]
            given += 1
            writer.write(answer)
            if b"lose" in answer.split(b"\r\n\r\n")[0].lower() or not answer:
                await writer.drain()
                return

    return handler


def test_every_request_of_a_healthy_server_is_answered() -> None:
    result = run(answering(OK % b"a", OK % b"b"))
    assert (result.sent, result.answered, result.total_lost, result.unfinished) == (40, 40, 0, 0)
    assert result.pods == {"a": 20, "b": 20}
    assert sum(one.sent for one in result.per_second) == 40
    document = result.document()
    assert document["lost"] == {"connect": 0, "reset": 0, "cut": 0, "timeout": 0, "5xx": 0}
    assert document["latencies_ms"]["p50"] <= document["latencies_ms"]["max"]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nup to the end",
        b"HTTP/1.0 200 OK\r\nX: lose\r\n\r\nup to the end",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_every_form_of_an_answer_is_one(answer: bytes) -> None:
    result = run(answering(answer))
    assert (result.sent, result.answered) == (40, 40)


def test_an_answer_to_head_has_no_body() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"
    assert run(answering(answer), method="HEAD").answered == 40


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"", Loss.RESET),
        (b"HTTP/1.1 200 OK\r\nLose: 1\r\nContent-Length: 9\r\n\r\nhalf", Loss.RESET),
        (b"no HTTP at all\r\n\r\n", Loss.RESET),
        (b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", Loss.SERVER_ERROR),
    ],
)
def test_a_lost_request_is_counted_by_its_kind(answer: bytes, kind: Loss) -> None:
    result = run(answering(OK % b"a", answer))
    assert result.sent == 40
    assert result.lost == {kind: 20}
    assert result.answered == 20
    assert result.latencies.count == 20


EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
CHUNKED = EVENTS + b"Transfer-Encoding: chunked\r\n"
FIRST = b"a\r\ndata: {}\n\n\r\n"
LAST = b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("path", "answer", "lost"),
    [
        ("/v1/chat/completions", CHUNKED + b"\r\n" + FIRST + LAST, None),
        ("/v1/completions?a=b", EVENTS + b"Connection: close\r\n\r\ndata: [DONE]\n\n", None),
        ("/v1/chat/completions", CHUNKED + b"Lose: 1\r\n\r\n" + FIRST, Loss.CUT),
        # It ends in good order, and without its last event: the model server has ended early.
        ("/v1/completions", CHUNKED + b"\r\n" + FIRST + b"0\r\n\r\n", Loss.CUT),
        ("/v1/completions", EVENTS + b"Connection: close\r\nLose: 1\r\n\r\ndata: {}\n\n", Loss.CUT),
        # The end of another API's stream is that of the answer.
        ("/events", CHUNKED + b"\r\n" + FIRST + b"0\r\n\r\n", None),
        ("/events", CHUNKED + b"Lose: 1\r\n\r\n" + FIRST, Loss.CUT),
        ("/v1/completions", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", None),
        ("/v1/completions", b"HTTP/1.1 400 No\r\nContent-Length: 2\r\n\r\n{}", None),
    ],
)
def test_a_stream_that_ends_before_its_last_event_is_cut(
    path: str, answer: bytes, lost: Loss | None
) -> None:
    result = run(answering(answer), path=path)
    assert result.lost == ({lost: 40} if lost else {})


def test_a_request_without_an_answer_in_time_is_lost() -> None:
    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    result = run(silent, seconds=0.05, timeout=0.2)
    assert result.lost == {Loss.TIMEOUT: 10}


def test_a_closed_port_is_told_with_its_reason() -> None:
    async def main() -> Result:
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        target = Target(address="127.0.0.1", port=port, host="m.example", path="/")
        return await load.run(target, rate=100, seconds=0.1, connections=2, timeout=60)

    result = asyncio.run(main())
    assert result.lost == {Loss.CONNECT: 10}
    assert "no connection: " in summary(result)


def test_requests_are_sent_though_earlier_ones_have_no_answer() -> None:
    # One connection, whose first answer comes once 20 requests were due.
    held: list[float] = []
    release: list[asyncio.Event] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        release.append(asyncio.Event())
        await reader.readuntil(b"\r\n\r\n")
        started = time.monotonic()
        await release[0].wait()
        held.append(time.monotonic() - started)
        while True:
            writer.write(OK % b"a")
            await reader.readuntil(b"\r\n\r\n")

    def on_tick(result: Result) -> None:
        if result.sent >= 20 and release:
            release[0].set()

    result = run(handler, connections=1, on_tick=on_tick, tick=0.005)
    assert (result.sent, result.answered) == (40, 40)
    # Each of the first 20 counts from its own time: the first has waited for the whole hold.
    assert result.latencies.longest >= held[0]
    waited = result.latencies.quantile(1 - 10 / 40)
    assert waited is not None
    assert waited > held[0] / 4


def test_a_load_that_is_stopped_tells_what_was_under_way() -> None:
    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    stop = asyncio.Event()
    result = run(silent, seconds=60, tick=0.01, on_tick=lambda _: stop.set(), stop=stop)
    assert result.unfinished == result.sent > 0
    assert result.total_lost == 0


def test_a_load_that_is_ended_early_waits_for_its_answers() -> None:
    end = asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            end.set()
            await asyncio.sleep(0.2)
            writer.write(OK % b"a")

    result = run(slow, seconds=3600, end=end)
    assert 0 < result.sent == result.answered
    assert result.unfinished == 0


def test_a_connection_that_the_server_has_closed_gets_no_request() -> None:
    """Also where the event loop has not seen the end yet, as on a busy machine."""

    async def main() -> tuple[bool, bool]:
        ends: list[socket.socket] = []
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.setblocking(False)
            loop = asyncio.get_running_loop()
            accepted = asyncio.create_task(loop.sock_accept(server))
            host, port = server.getsockname()
            _, connection = await loop.create_connection(
                lambda: Connection(lambda *_: None, lambda _: None), host, port
            )
            ends.append((await accepted)[0])
        before = connection.is_open
        ends[0].close()
        # The loop does not run in between: only the socket knows.
        patience = time.monotonic() + 60
        while connection.is_open and time.monotonic() < patience:
            time.sleep(0.001)
        after = connection.is_open
        connection.close()
        return before, after

    assert asyncio.run(main()) == (True, False)


def test_a_header_cannot_break_a_request() -> None:
    target = Target(
        address="127.0.0.1", port=1, host="m.example", path="/", headers={"X": "a\r\nY: b"}
    )
    with pytest.raises(ValueError, match="line break"):
        target.request()


def test_quantiles_are_within_one_percent() -> None:
    latencies = Latencies()
    for milliseconds in range(1, 1001):
        latencies.add(milliseconds / 1000)
    found = latencies.milliseconds()
    for name, exact in (("p50", 500), ("p90", 900), ("p99", 990), ("max", 1000)):
        assert found[name] == pytest.approx(exact, rel=0.01)
    assert Latencies().milliseconds() == {"p50": None, "p90": None, "p99": None, "max": None}
    assert Figures().total_lost == 0


def test_a_redirected_load_loses_nothing_and_leaves_the_former_target() -> None:
    """Requests under way end where they are; none begins there after the change."""
    served: dict[str, list[float]] = {"former": [], "later": []}
    redirects: list[Callable[[], None]] = []
    end = asyncio.Event()
    moved = 0.0

    def move() -> None:
        nonlocal moved
        redirects[0]()
        moved = time.perf_counter()

    def answers(name: str) -> Handler:
        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    await reader.readuntil(b"\r\n\r\n")
                    served[name].append(time.perf_counter())
                    if name == "former" and len(served[name]) == 20:
                        move()
                    # What was on the wire when the load was redirected arrives a moment later.
                    late = sum(at > moved for at in served["former"]) if moved else 0
                    if len(served["later"]) > late + 20:
                        end.set()
                    await asyncio.sleep(0.01)
                    writer.write(OK % name.encode())
            writer.close()

        return handler

    async def main() -> Result:
        targets = []
        servers = [await asyncio.start_server(answers(one), "127.0.0.1", 0) for one in served]
        for server in servers:
            port = server.sockets[0].getsockname()[1]
            targets.append(Target(address="127.0.0.1", port=port, host="m.example", path="/x"))

        def begun(redirect: Callable[[Target], None]) -> None:
            redirects.append(lambda: redirect(targets[1]))

        result = await load.run(targets[0], rate=200, seconds=60, begun=begun, end=end)
        for server in servers:
            server.close()
        await asyncio.sleep(0.05)  # the handlers see the end of their connections
        return result

    result = asyncio.run(main())
    assert end.is_set()
    assert (result.sent, result.total_lost) == (result.answered, 0)
    assert set(result.pods) == {"former", "later"}
    assert served["later"][0] > moved


class Pair:
    """Places that answer two requests together, and let the second come while one has opened."""

    reason, request = "", b""

    def __init__(self) -> None:
        self.sent: list[tuple[Any, Any]] = []
        self.due: Callable[[int], None] = lambda _: None

    async def open(self, done: Any, closed: Any) -> Any:
        pair = self

        class Place:
            is_open = True

            def send(self, _: bytes) -> None:
                pair.sent.append((done, self))
                if len(pair.sent) == 1:
                    asyncio.get_running_loop().call_soon(pair.due, 2)
                else:
                    for its, place in pair.sent:
                        asyncio.get_running_loop().call_soon(its, place, Answer(200))

            def close(self, why: Loss = Loss.RESET) -> None:
                self.is_open = False
                done(self, why)

        return Place()

    async def close(self) -> None:
        """Nothing is open."""


def test_a_request_that_comes_as_a_connection_has_opened_gets_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pair = Pair()

    class Schedule:
        started = time.perf_counter()

        def __init__(self, _rate: float, _count: int, due: Callable[[int], None]) -> None:
            pair.due = due
            asyncio.get_running_loop().call_soon(due, 1)

        def offset(self, _: int) -> float:
            return 0

        def end(self) -> None:
            """Nothing runs."""

    monkeypatch.setattr(sending, "Schedule", Schedule)
    monkeypatch.setattr(places, "of", lambda _: pair)
    target = Target(address="127.0.0.1", port=1, host="m.example", path="/x", method="GET")
    result = asyncio.run(load.run(target, rate=2, seconds=1, connections=2, timeout=5))
    assert (result.answered, result.total_lost) == (2, 0)
