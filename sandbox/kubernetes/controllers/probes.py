"""Asks programs on ports of 127.0.0.1 for their health, as a kubelet's probes do."""

from __future__ import annotations

import asyncio

import httpx

_SERVING = b"\x08\x01"
"""A `HealthCheckResponse` whose status is SERVING."""
_SECONDS = 1.0


async def listens(port: int) -> bool:
    """Whether a connection is accepted: a probe of the kind `tcpSocket`."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def answers(port: int, path: str) -> bool:
    """Whether the answer to a GET is OK: a probe of the kind `httpGet`."""
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=_SECONDS) as client:
            answer = await client.get(f"http://127.0.0.1:{port}{path}")
    except httpx.HTTPError:
        return False
    return answer.status_code == httpx.codes.OK


async def is_serving(port: int, service: str) -> bool:
    """Whether a service is served: a probe of the kind `grpc`.

    https://github.com/grpc/grpc/blob/master/doc/health-checking.md
    """
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
