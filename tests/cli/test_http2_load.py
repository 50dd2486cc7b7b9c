"""Loads by HTTP/2 against a small server: answers, losses and connections."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded
from h2.settings import SettingCodes, Settings
from hyperframe.frame import GoAwayFrame

from cli.errors import CliError
from cli.traffic import load
from cli.traffic.connection import Loss
from cli.traffic.exchange import Caller
from cli.traffic.figures import Result
from cli.traffic.http2_frames import Frames
from cli.traffic.target import Target
from sandbox.traffic.load_balancer.surroundings import KeyPair
from tests.sandbox.traffic.load_balancer.key_pairs import key_pair

Answering = Callable[["Server", int], None]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> KeyPair:
    return key_pair(tmp_path_factory.mktemp("keys"), "m.example")


class Server(asyncio.Protocol):
    """Answers each request as `answering` does, once it is complete."""

    made: list[Server]

    def __init__(self, answering: Answering, streams: int, made: list[Server]) -> None:
        self.h2 = H2Connection(H2Configuration(client_side=False))
        self.h2.local_settings = Settings(
            client=False, initial_values={SettingCodes.MAX_CONCURRENT_STREAMS: streams}
        )
        self.answering, self.paths, self.bytes = answering, list[bytes](), 0
        made.append(self)

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.h2.initiate_connection()
        transport.write(self.h2.data_to_send())

    def data_received(self, data: bytes) -> None:
        for event in self.h2.receive_data(data):
            if isinstance(event, RequestReceived):
                self.paths += [value for name, value in event.headers if name == b":path"]
            elif isinstance(event, DataReceived):
                self.bytes += len(event.data)
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, StreamEnded):
                self.answering(self, event.stream_id)
        self.transport.write(self.h2.data_to_send())

    def answer(self, stream: int, status: str = "200", body: bytes = b"ok") -> None:
        self.h2.send_headers(stream, [(":status", status), ("x-served-by-pod", "m1-abc")])
        self.h2.send_data(stream, body, end_stream=True)


def run(
    pair: KeyPair, answering: Answering, *, streams: int = 100, offers: str = "h2",
    rate: float = 200, body: bytes = b"{}", **options: Any,
) -> tuple[Result, list[Server]]:  # fmt: skip
    """The result of a load of 0.2 seconds on a server that answers so, and its connections."""
    made: list[Server] = []
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.chain, pair.key)
    context.set_alpn_protocols([offers])

    async def main() -> Result:
        server = await asyncio.get_running_loop().create_server(
            lambda: Server(answering, streams, made), "127.0.0.1", 0, ssl=context
        )
        target = target_of(pair.chain, server.sockets[0].getsockname()[1], body)
        try:
            return await load.run(target, rate=rate, seconds=0.2, **options)
        finally:
            server.close()

    return asyncio.run(main()), made


def target_of(cacert: Path, port: int, body: bytes = b"{}", **more: Any) -> Target:
    return Target(**{
        "address": "127.0.0.1", "port": port, "host": "m.example", "path": "/v1/models/m",
        "method": "POST", "headers": {"Content-Type": "application/json"}, "body": body,
        "encrypted": True, "cacert": str(cacert), "is_http2": True, **more,
    })  # fmt: skip


def test_requests_share_a_connection(pair: KeyPair) -> None:
    found, made = run(pair, Server.answer)
    assert (found.sent, found.answered, found.total_lost) == (40, 40, 0)
    assert found.pods == {"m1-abc": 40}
    (one,) = made
    assert one.paths == [b"/v1/models/m"] * 40


def test_a_server_s_limit_of_streams_opens_further_connections(pair: KeyPair) -> None:
    asked: list[tuple[Server, int]] = []

    def late(server: Server, stream: int) -> None:
        """No stream becomes free before all twelve requests have arrived."""
        asked.append((server, stream))
        if len(asked) == 12:
            for one, its in asked:
                one.answer(its)
                one.transport.write(one.h2.data_to_send())

    found, made = run(pair, late, streams=4, connections=12, rate=60)
    assert (found.answered, found.total_lost) == (12, 0)
    assert len(made) == 3
    assert max(len(one.paths) for one in made) == 4


def test_a_body_longer_than_the_window_is_sent(pair: KeyPair) -> None:
    found, made = run(pair, Server.answer, rate=10, body=b"x" * 500_000)
    assert (found.answered, sum(one.bytes for one in made)) == (2, 1_000_000)


def test_an_ending_connection_loses_nothing(pair: KeyPair) -> None:
    """GOAWAY and the answers to earlier requests may arrive together."""

    def answer(server: Server, stream: int) -> None:
        if stream == 9:
            going = GoAwayFrame(last_stream_id=2**31 - 1).serialize()
            server.answer(stream)
            server.transport.write(going + server.h2.data_to_send())
        else:
            server.answer(stream)

    found, made = run(pair, answer)
    assert (found.answered, found.total_lost) == (40, 0)
    assert len(made) > 1


@pytest.mark.parametrize(
    ("answer", "lost"),
    [
        (lambda server, stream: server.h2.reset_stream(stream), Loss.RESET),
        (lambda server, _: server.transport.abort(), Loss.RESET),
        (lambda server, stream: server.answer(stream, "503"), Loss.SERVER_ERROR),
        (lambda _server, _stream: None, Loss.TIMEOUT),
    ],
    ids=["a stream is reset", "the connection ends", "503", "no answer"],
)
def test_a_lost_request_is_counted_by_its_kind(
    pair: KeyPair, answer: Answering, lost: Loss
) -> None:
    # Only the last case may end by its time: an answer may be late on a busy machine.
    found, _ = run(pair, answer, rate=20, timeout=0.3 if lost is Loss.TIMEOUT else 60)
    assert (found.sent, found.answered, found.lost) == (4, 0, {lost: 4})


def test_a_server_without_http_2(pair: KeyPair) -> None:
    found, _ = run(pair, Server.answer, offers="http/1.1", rate=20)
    assert found.lost == {Loss.CONNECT: 4}
    assert found.reason == "m.example does not offer HTTP/2 in the TLS handshake"


def test_plain_http_is_refused(pair: KeyPair) -> None:
    with pytest.raises(ValueError, match="over TLS alone"):
        asyncio.run(load.run(target_of(pair.chain, 1, encrypted=False), rate=1, seconds=0.1))


def test_frames_are_found_wherever_they_are_cut() -> None:
    other = b"\0\0\4\0\0\0\0\0\1abcd"
    data = other + GoAwayFrame(last_stream_id=7).serialize() + other + other
    for size in range(1, len(data)):
        frames = Frames()
        parts = [frames.add(data[at : at + size]) for at in range(0, len(data), size)]
        assert b"".join(parts) == other * 3
        assert frames.last_stream == 7


def test_a_single_request_takes_http_2_where_it_is_offered(pair: KeyPair) -> None:
    made: list[Server] = []
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.chain, pair.key)
    context.set_alpn_protocols(["h2", "http/1.1"])

    async def main() -> Any:
        server = await asyncio.get_running_loop().create_server(
            lambda: Server(Server.answer, 100, made), "127.0.0.1", 0, ssl=context
        )
        target = target_of(pair.chain, server.sockets[0].getsockname()[1])

        def ask() -> Any:
            with Caller(target, 10) as caller:
                return [caller.call(print) for _ in range(3)]

        try:
            return await asyncio.to_thread(ask)
        finally:
            server.close()

    try:
        answers = asyncio.run(main())
    except CliError as error:
        pytest.fail(str(error))
    assert [(one.status, one.http_version, one.body) for one in answers] == [
        (200, "HTTP/2", "ok")
    ] * 3
    assert len(made) == 1
