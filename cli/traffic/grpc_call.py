"""One gRPC call and its answer, as bytes: the message types are the server's own."""

from __future__ import annotations

import time
from typing import Any

import grpc

from cli.errors import CliError
from cli.traffic import trust
from cli.traffic.exchange import Received, served_by
from cli.traffic.target import Target

_STATUSES = {
    grpc.StatusCode.OK: 200,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.UNIMPLEMENTED: 501,
}
"""HTTP statuses, as a gateway would translate them; all others are 500."""
_SKIPPED = frozenset({"content-type", "host"})


class GrpcCaller:
    """A channel to one address."""

    def __init__(self, target: Target, timeout: float) -> None:
        """Raises CliError where an authority cannot be read."""
        self._target, self._timeout = target, timeout
        at = f"{target.address}:{target.port}"
        options = [
            ("grpc.default_authority", target.authority),
            ("grpc.enable_http_proxy", 0),
        ]
        if not target.encrypted:
            self._channel = grpc.insecure_channel(at, options)
            return
        try:
            roots = trust.roots(target.cacert, target.authorities)
        except ValueError as error:
            raise CliError(str(error)) from None
        except OSError as error:
            raise CliError(f"{target.cacert}: cannot be read: {error}") from None
        options.append(("grpc.ssl_target_name_override", target.host))
        self._channel = grpc.secure_channel(at, grpc.ssl_channel_credentials(roots), options)

    def __enter__(self) -> GrpcCaller:
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()

    def call(self, show: object = None) -> Received:  # noqa: ARG002 (one interface for callers)
        """Make the call once. Raises CliError where no server answered."""
        method = self._channel.unary_unary(
            self._target.path,
            request_serializer=lambda content: content,
            response_deserializer=lambda content: content,
        )
        metadata = tuple(
            (name.lower(), value)
            for name, value in self._target.headers.items()
            if name.lower() not in _SKIPPED
        )
        started = time.perf_counter()
        code, text, content = grpc.StatusCode.OK, "", b""
        call: Any  # the call, or the error that it ended with, which is one too
        try:
            content, call = method.with_call(
                self._target.body, timeout=self._timeout, metadata=metadata
            )
        except grpc.RpcError as error:
            call = error
            code, text = call.code(), call.details() or ""
            if code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}:
                where = f"{self._target.url} at {self._target.address}:{self._target.port}"
                raise CliError(
                    f"{where}: {code.name}: {' '.join(text.split())}",
                    "is the model ready, and does it speak gRPC?",
                ) from None
        spent = (time.perf_counter() - started) * 1000
        pairs = (*(call.initial_metadata() or ()), *(call.trailing_metadata() or ()))
        headers = {name: str(value) for name, value in pairs}
        return Received(
            status=_STATUSES.get(code, 500),
            headers={**headers, "grpc-status": code.name},
            body=text or f"{len(content)} bytes",
            size=len(content),
            milliseconds=spent,
            first_byte_ms=spent,
            served_by=served_by(headers),
        )
