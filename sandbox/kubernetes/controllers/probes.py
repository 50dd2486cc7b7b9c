"""Asks a program for its health, as a readiness probe of the kind `grpc` does.

https://github.com/grpc/grpc/blob/master/doc/health-checking.md
"""

from __future__ import annotations

import asyncio

_SERVING = b"\x08\x01"
"""A `HealthCheckResponse` whose status is SERVING."""
_SECONDS = 1.0


async def is_serving(port: int, service: str) -> bool:
    """Whether the program on a port of 127.0.0.1 says that a service is served."""
    return await asyncio.to_thread(_check, port, service)


def _check(port: int, service: str) -> bool:
    import grpc  # noqa: PLC0415 (only clusters with such programs need it)

    name = service.encode()
    request = b"\x0a" + bytes([len(name)]) + name if name else b""
    options = [("grpc.enable_http_proxy", 0)]
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
        ask = channel.unary_unary("/grpc.health.v1.Health/Check", None, None)
        try:
            return bool(ask(request, timeout=_SECONDS) == _SERVING)
        except grpc.RpcError:
            return False
