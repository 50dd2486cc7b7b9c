"""One gRPC call and its answer, as bytes: the message types are the server's own."""

from __future__ import annotations

import time
from typing import Any

import grpc

from cli.errors import CliError
from cli.traffic import relay, trust
from cli.traffic.exchange import Received, served_by
from cli.traffic.target import Target

_STATUSES = {
    grpc.StatusCode.OK: 200,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.CANCELLED: 499,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}
"""HTTP statuses, as a gateway would translate them; all others are 500.

https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto
"""
_SKIPPED = frozenset({"content-type", "host"})


def http_status(code: grpc.StatusCode) -> int:
    """The HTTP status that a gateway would make of a gRPC status."""
    return _STATUSES.get(code, 500)


def address(target: Target) -> str:
    """What a channel connects to."""
    at = f"[{target.address}]" if ":" in target.address else target.address
    return f"{at}:{target.port}"


def options(target: Target) -> list[tuple[str, str | int]]:
    """The options of a channel: the host of the URL, whatever the address, and no proxy."""
    found: list[tuple[str, str | int]] = [
        ("grpc.default_authority", target.authority),
        ("grpc.enable_http_proxy", 0),
    ]
    if target.encrypted:
        found.append(("grpc.ssl_target_name_override", target.host))
    return found


def credentials(target: Target) -> grpc.ChannelCredentials | None:
    """The credentials of a channel, which verify the certificate; None without TLS.

    Raises `OSError` and `ValueError` for authorities that cannot be read.
    """
    if not target.encrypted:
        return None
    return grpc.ssl_channel_credentials(trust.roots(target.cacert, target.authorities))


def metadata(target: Target) -> tuple[tuple[str, str], ...]:
    """The headers of the request as gRPC sends them."""
    return tuple(
        (name.lower(), value)
        for name, value in target.headers.items()
        if name.lower() not in _SKIPPED
    )


class GrpcCaller:
    """A channel to one address."""

    def __init__(self, target: Target, timeout: float) -> None:
        """Raises CliError where an authority cannot be read."""
        self._target, self._timeout = target, timeout
        given = options(target)
        try:
            secured = credentials(target)
        except ValueError as error:
            raise CliError(str(error)) from None
        except OSError as error:
            raise CliError(f"{target.cacert}: cannot be read: {error}") from None
        self._relay = relay.of(target)
        at = self._relay.address if self._relay else address(target)
        self._channel = (
            grpc.secure_channel(at, secured, given) if secured else grpc.insecure_channel(at, given)
        )

    def __enter__(self) -> GrpcCaller:
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()
        if self._relay is not None:
            self._relay.close()

    def _reason(self) -> str:
        return self._relay.reason if self._relay else ""

    def call(self, show: object = None) -> Received:  # noqa: ARG002 (one interface for callers)
        """Make the call once. Raises CliError where no server answered."""
        method = self._channel.unary_unary(
            self._target.path,
            request_serializer=lambda content: content,
            response_deserializer=lambda content: content,
        )
        started = time.perf_counter()
        code, text, content = grpc.StatusCode.OK, "", b""
        call: Any  # the call, or the error that it ended with, which is one too
        try:
            content, call = method.with_call(
                self._target.body, timeout=self._timeout, metadata=metadata(self._target)
            )
        except grpc.RpcError as error:
            call = error
            code, text = call.code(), call.details() or ""
            if code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}:
                where = f"{self._target.url} at {self._target.address}:{self._target.port}"
                raise CliError(
                    f"{where}: {code.name}: {self._reason() or ' '.join(text.split())}",
                    "is the model ready, and does it speak gRPC?",
                ) from None
        spent = (time.perf_counter() - started) * 1000
        pairs = (*(call.initial_metadata() or ()), *(call.trailing_metadata() or ()))
        headers = {name: str(value) for name, value in pairs}
        return Received(
            status=http_status(code),
            headers={**headers, "grpc-status": code.name},
            body=text or f"{len(content)} bytes",
            size=len(content),
            milliseconds=spent,
            first_byte_ms=spent,
            http_version="HTTP/2",
            served_by=served_by(headers),
        )
