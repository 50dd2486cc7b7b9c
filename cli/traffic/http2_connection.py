"""Requests of a load by HTTP/2: places for one request each, many of them on one connection.

A connection is shared as far as the server's limit of streams allows; beyond it there is another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    DataReceived,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings

from cli.traffic.connection import Answer, Loss
from cli.traffic.events import Events, begun
from cli.traffic.http2_frames import Frames
from cli.traffic.target import Target

_OK = 200
_SERVED_BY = b"x-served-by-"
_SETTINGS_SECONDS = TLS_SECONDS = 10.0
_WINDOW = 2**30
"""Bytes of answers that may be under way: a load never waits for its own reading."""
_FAST = H2Configuration(
    client_side=True,
    header_encoding=None,
    validate_outbound_headers=False,
    normalize_outbound_headers=False,
    validate_inbound_headers=False,
    normalize_inbound_headers=False,
)
"""Without the checks of headers, which cost more than all else; they are checked once, before."""
Done = Callable[["Http2Place", Answer | Loss], None]
Closed = Callable[["Http2Place"], None]


class Http2Channel:
    """The connections of a load. Close it at the end."""

    reason = ""

    def __init__(self, target: Target) -> None:
        """Raises `OSError` and `ValueError` for what cannot be sent by HTTP/2."""
        self._target = target
        self._tls = target.tls()
        if self._tls is None:
            raise ValueError("load balancers speak HTTP/2 over TLS alone, and this URL is http://")
        self.request = target.body
        self._headers = target.http2_headers()
        self._connections: list[_Connection] = []
        self._connecting = asyncio.Lock()

    async def open(self, done: Done, closed: Closed) -> Http2Place:
        """A place on a connection that has room, or on a new one. Raises OSError."""
        async with self._connecting:  # so that the first ones share it
            for connection in self._connections:
                if connection.has_room:
                    return connection.place(done, closed)
            found = await self._connect()
        return found.place(done, closed)

    async def _connect(self) -> _Connection:
        target = self._target
        transport, connection = await asyncio.get_running_loop().create_connection(
            lambda: _Connection(self._headers, self._forget, target.last_event),
            target.address,
            target.port,
            ssl=self._tls,
            local_addr=(target.caller, 0) if target.caller else None,
            server_hostname=target.host,
            ssl_handshake_timeout=TLS_SECONDS,
        )
        if transport.get_extra_info("ssl_object").selected_alpn_protocol() != "h2":
            transport.abort()
            raise OSError(f"{target.authority} does not offer HTTP/2 in the TLS handshake")
        try:
            async with asyncio.timeout(_SETTINGS_SECONDS):
                await connection.ready
        except TimeoutError:
            transport.abort()
            raise OSError("the server sent no settings of HTTP/2") from None
        self._connections.append(connection)
        return connection

    def _forget(self, connection: _Connection) -> None:
        if connection in self._connections:
            self._connections.remove(connection)

    async def close(self) -> None:
        """Close the connections."""
        for connection in [*self._connections]:
            connection.transport.abort()


class Http2Place:
    """A place for one request at a time. `done` is called once for each that it was given."""

    def __init__(self, connection: _Connection, done: Done, closed: Closed) -> None:
        self._connection = connection
        self.done, self.closed = done, closed
        self.stream: int | None = None
        """Of the request under way."""
        self.answer = Answer()
        self.events: Events | None = None
        self.unsent = b""
        """What the server's window has not let pass of the body."""
        self.is_open = True
        self._is_closed = False

    def send(self, body: bytes) -> None:
        """Send the request; the one before must have ended."""
        if not self.is_open or self.stream is not None:
            raise RuntimeError("the place is not open and idle")
        self.answer, self.events = Answer(), None
        self._connection.send(self, body)

    def close(self, why: Loss = Loss.RESET) -> None:
        """Take no more requests; one under way is cancelled and lost, and this is why."""
        if self.stream is not None:
            self._connection.cancel(self)
            self.finish(why)
        self.is_open = False
        if not self._is_closed:
            self._is_closed = True
            self._connection.leave(self)
            asyncio.get_running_loop().call_soon(self.closed, self)

    def finish(self, result: Answer | Loss) -> None:
        """Tell what became of the request under way."""
        self.stream = None
        if self.events is not None and (
            result is Loss.RESET
            or (isinstance(result, Answer) and result.status == _OK and not self.events.is_whole)
        ):
            result = Loss.CUT
        self.done(self, result)


class _Connection(asyncio.Protocol):
    """One connection and its places."""

    def __init__(
        self,
        headers: list[tuple[bytes, bytes]],
        lost: Callable[[_Connection], None],
        last_event: bytes,
    ) -> None:
        self._headers, self._lost, self._last_event = headers, lost, last_event
        self._h2 = H2Connection(_FAST)
        self._frames = Frames()
        self._places: set[Http2Place] = set()
        self._streams: dict[int, Http2Place] = {}
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport = None  # type: ignore[assignment]

    @property
    def has_room(self) -> bool:
        """Whether the server takes another request beside those of all places."""
        most = self._h2.remote_settings.max_concurrent_streams
        return self._frames.last_stream is None and len(self._places) < most

    def place(self, done: Done, closed: Closed) -> Http2Place:
        """A new place."""
        found = Http2Place(self, done, closed)
        self._places.add(found)
        return found

    def leave(self, place: Http2Place) -> None:
        """Forget a place."""
        self._places.discard(place)

    def send(self, place: Http2Place, body: bytes) -> None:
        """Send a place's request."""
        place.stream = number = self._h2.get_next_available_stream_id()
        self._streams[number] = place
        self._h2.send_headers(number, self._headers, end_stream=not body)
        place.unsent = body
        self._push(number, place)
        self._flush()

    def cancel(self, place: Http2Place) -> None:
        """Tell the server that an answer is not wanted any more."""
        if self._streams.pop(place.stream or 0, None) and not self.transport.is_closing():
            self._h2.reset_stream(place.stream or 0, 8)  # CANCEL
            self._flush()

    def _push(self, number: int, place: Http2Place) -> None:
        while place.unsent:
            room = min(self._h2.local_flow_control_window(number), self._h2.max_outbound_frame_size)
            if room <= 0:
                return
            part, place.unsent = place.unsent[:room], place.unsent[room:]
            self._h2.send_data(number, part, end_stream=not place.unsent)

    def _flush(self) -> None:
        self.transport.write(self._h2.data_to_send())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of asyncio's interface."""
        self.transport = transport  # type: ignore[assignment]  # a stream's transport
        # An assignment of a single one would be in force after its acknowledgement, and not sent.
        self._h2.local_settings = Settings(
            client=True,
            initial_values={
                SettingCodes.INITIAL_WINDOW_SIZE: _WINDOW,
                SettingCodes.ENABLE_PUSH: 0,
            },
        )
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(_WINDOW)
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Part of asyncio's interface."""
        try:
            for event in self._h2.receive_data(self._frames.add(data)):
                match event:
                    case ResponseReceived():
                        self._begun(event)
                    case DataReceived():
                        self._arrived(event)
                        self._h2.acknowledge_received_data(
                            event.flow_controlled_length, event.stream_id
                        )
                    case StreamEnded():
                        self._ended(event.stream_id)
                    case StreamReset():
                        self._finish(event.stream_id, Loss.RESET)
                    case WindowUpdated():
                        for number in [event.stream_id] if event.stream_id else [*self._streams]:
                            if number in self._streams:
                                self._push(number, self._streams[number])
                    case RemoteSettingsChanged() if not self.ready.done():
                        self.ready.set_result(None)
        except ProtocolError:
            self.transport.abort()
            return
        self._flush()
        if self._frames.last_stream is not None:
            self._retire(self._frames.last_stream)

    def _begun(self, event: ResponseReceived) -> None:
        place = self._streams.get(event.stream_id)
        if place is None:
            return
        for name, value in event.headers:
            if name == b":status":
                place.answer.status = int(value)
            elif name == b"content-type":
                place.events = begun(value, self._last_event)
            elif name.startswith(_SERVED_BY):
                served = name[len(_SERVED_BY) :].decode("latin-1")
                place.answer.served_by[served] = value.decode("latin-1")

    def _arrived(self, event: DataReceived) -> None:
        place = self._streams.get(event.stream_id)
        if place is not None and place.events is not None:
            place.events.add(event.data)

    def _ended(self, number: int) -> None:
        place = self._streams.get(number)
        if place is None:
            return
        if place.unsent:  # answered before it was read
            self._h2.reset_stream(number, 0)
            place.unsent = b""
        self._finish(number, place.answer)

    def _finish(self, number: int, result: Answer | Loss) -> None:
        place = self._streams.pop(number, None)
        if place is not None:
            place.finish(result)

    def _retire(self, last: int) -> None:
        """The server takes no more: close idle places now, others with their answers."""
        for place in [*self._places]:
            number = place.stream
            if number is not None and number > last:
                self._finish(number, Loss.RESET)  # the server has not read it
            if place.stream is None:
                place.close()
            else:
                place.is_open = False
        if not self._streams:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Part of asyncio's interface."""
        if not self.ready.done():
            self.ready.set_exception(ConnectionResetError("closed before its settings"))
            self.ready.exception()  # which nobody may wait for
        self._lost(self)
        for place in [*self._places]:
            if place.stream is not None:
                self._finish(place.stream, Loss.RESET)
            place.close()
