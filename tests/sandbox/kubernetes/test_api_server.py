"""The client of an API server gives its connections back."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from sandbox.kubernetes.api_server import ApiServer
from sandbox.kubernetes.controllers import certificates


@pytest.mark.parametrize("seconds", [0, 0.05])
def test_a_request_cancelled_during_the_handshake_closes_its_connection(
    tmp_path: Path, seconds: float
) -> None:
    certificates.server_context(tmp_path, ("127.0.0.1",))

    async def end_of_connection() -> bytes:
        ended: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            task.get_loop().call_later(seconds, task.cancel)
            # The client's hello, then the end: the server never answers.
            ended.set_result(await reader.read())
            writer.close()

        listener = await asyncio.start_server(silent, "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
        client = ApiServer(port, ca=tmp_path / "ca.crt", token="t", agent="tests")
        task = asyncio.create_task(client.get("/api/v1/pods"))
        with contextlib.suppress(asyncio.CancelledError):
            await task
        try:
            return await asyncio.wait_for(ended, 60)
        finally:
            await client.close()
            listener.close()

    assert asyncio.run(end_of_connection())
