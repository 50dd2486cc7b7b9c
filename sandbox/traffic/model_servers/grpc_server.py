"""The gRPC side of a model server, started when the first call arrives.

It listens on an abstract Unix socket; the server's own ports pass on what begins as HTTP/2, and
ports of HTTP/2 and gRPC each call. So all connections of a server have one life, and a server that
nobody calls by gRPC costs nothing.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import grpc.aio

from sandbox.traffic.model_servers import grpc_services
from sandbox.traffic.model_servers.grpc_messages import message
from sandbox.traffic.model_servers.grpc_services import Method, RefusedError
from sandbox.traffic.model_servers.load import Load
from sandbox.traffic.model_servers.served import Served

_INTERNAL = 500
_CODES = {code.value[0]: code for code in grpc.StatusCode}
_Context = grpc.aio.ServicerContext[Any, Any]


class GrpcServer:
    """The gRPC server of one model server."""

    def __init__(self, served: Served, load: Load) -> None:
        self._served = served
        self._load = load
        # gRPC's name for the socket; the kernel's begins with a zero byte.
        self._name = f"gke-platform-{secrets.token_hex(8)}"
        self._server = grpc.aio.server(options=[("grpc.max_receive_message_length", 64 << 20)])
        self._server.add_generic_rpc_handlers((_Handlers(served, load),))
        self._server.add_insecure_port(f"unix-abstract:{self._name}")
        self._channel: grpc.aio.Channel | None = None

    @property
    def path(self) -> str:
        """The socket's address."""
        return f"\0{self._name}"

    @property
    def channel(self) -> grpc.aio.Channel:
        """A channel to it, for single calls."""
        if self._channel is None:
            self._channel = grpc.aio.insecure_channel(
                f"unix-abstract:{self._name}", [("grpc.max_receive_message_length", 64 << 20)]
            )
        return self._channel

    async def start(self) -> None:
        """Listen."""
        await self._server.start()

    async def stop(self, grace: float | None) -> None:
        """Take no new calls, and end after `grace` seconds at the latest; None: cut all."""
        await self._server.stop(grace)
        if self._channel is not None:
            # The server's side of its calls has ended; their last words are still on the way.
            await self._channel.close(grace)


class _Handlers(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # not generic at run time
    def __init__(self, served: Served, load: Load) -> None:
        self._served = served
        self._load = load
        self._methods = grpc_services.methods(served)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        path = str(handler_call_details.method)
        method = self._methods.get(path)
        if method is None:
            if self._served.server.kind != "custom":
                return None  # gRPC answers UNIMPLEMENTED
            return grpc.unary_unary_rpc_method_handler(self._any(path))
        read = message(method.takes).FromString
        if method.is_stream:
            return grpc.stream_stream_rpc_method_handler(self._stream(path, method), read, _written)
        if method.is_watch:
            return grpc.unary_stream_rpc_method_handler(self._watch(path, method), read, _written)
        return grpc.unary_unary_rpc_method_handler(self._call(path, method), read, _written)

    async def _greet(self, path: str, context: _Context) -> None:
        headers = (*self._served.headers(), ("x-served-by-path", path))
        await context.send_initial_metadata(headers)
        if path in self._load.settings.failing_paths:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the rehearsed failing path")

    def _call(self, path: str, method: Method) -> Callable[[Any, _Context], Awaitable[Any]]:
        async def call(request: Any, context: _Context) -> Any:
            await self._greet(path, context)
            return await self._worked(method, request, context)

        return call

    def _any(self, path: str) -> Callable[[Any, _Context], Awaitable[bytes]]:
        async def call(_request: bytes, context: _Context) -> bytes:
            """An empty message: one of any type, with all its defaults."""
            await self._greet(path, context)
            method = Method(takes="", answer=lambda _served, _request: b"", verb="request")
            return bytes(await self._worked(method, None, context))

        return call

    def _stream(self, path: str, method: Method) -> Callable[[Any, _Context], AsyncIterator[Any]]:
        async def stream(requests: AsyncIterator[Any], context: _Context) -> AsyncIterator[Any]:
            await self._greet(path, context)
            async for request in requests:
                yield await self._worked(method, request, context)

        return stream

    def _watch(self, path: str, method: Method) -> Callable[[Any, _Context], AsyncIterator[Any]]:
        async def watch(request: Any, context: _Context) -> AsyncIterator[Any]:
            await self._greet(path, context)
            before = None
            while True:
                response = method.answer(self._served, request)
                if response != before:
                    yield response
                before = response
                await asyncio.sleep(0.1)

        return watch

    async def _worked(self, method: Method, request: Any, context: _Context) -> Any:
        served, load = self._served, self._load
        if method.verb and not served.is_loaded:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the model is being loaded")
        try:
            response = method.answer(served, request)
        except RefusedError as refusal:
            await context.abort(_CODES[refusal.code], str(refusal))
        if not method.verb:
            return response
        model = grpc_services.model_name(request) or served.model
        fails = load.fails()
        ticket = None if load.is_instant else await load.pass_through()
        load.count(model, method.verb, _INTERNAL if fails else 200, ticket)
        if fails:
            await context.abort(grpc.StatusCode.INTERNAL, "the rehearsed error rate")
        return response


def _written(response: Any) -> bytes:
    return bytes(response.SerializeToString())
