"""The cache before a bucket, as Envoy asks it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from sandbox.traffic.cdn.cache import Invalidation
from sandbox.traffic.cdn.server import ASKED_HEADER, POLICY_HEADER, STATUS_HEADER, CdnServer
from tests.sandbox.traffic.load_balancer.rig import free_port

POLICY: dict[str, Any] = {"backend": "projects/p/global/backendBuckets/files", "defaultTtl": 60}


class Bucket:
    """What the emulated storage does, and how often it was asked."""

    def __init__(self) -> None:
        self.body, self.etag, self.control = b"one", '"1"', "public, max-age=3600"
        self.asked = 0
        self.delay = 0.0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            self.asked += 1
            await asyncio.sleep(self.delay)
            is_known = f"if-none-match: {self.etag}".encode() in head.lower()
            status, body = ("304 -", b"") if is_known else ("200 OK", self.body)
            lines = [f"HTTP/1.1 {status}", "content-type: text/css", f"etag: {self.etag}"]
            lines += [f"cache-control: {self.control}", f"content-length: {len(body)}", "", ""]
            writer.write("\r\n".join(lines).encode() + body)


def caching(test: Callable[[Any, Bucket, list[Invalidation]], Awaitable[None]]) -> None:
    """Run the test with a function that asks the cache, its bucket and its invalidations."""

    async def main() -> None:
        bucket, told = Bucket(), list[Invalidation]()
        origin = await asyncio.start_server(bucket.serve, "127.0.0.1", 0)
        server = CdnServer(origin.sockets[0].getsockname()[1], lambda _: told)
        port = free_port()
        await server.start(port)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:

            async def ask(
                method: str = "GET", headers: dict[str, str] | None = None, **policy: Any
            ) -> httpx.Response:
                given = {POLICY_HEADER: json.dumps(POLICY | policy), ASKED_HEADER: "x.example/a"}
                return await client.request(method, "/o/a", headers=given | (headers or {}))

            try:
                await test(ask, bucket, told)
            finally:
                await server.close()
                origin.close()

    asyncio.run(main())


def status(answer: httpx.Response) -> str:
    return str(answer.headers[STATUS_HEADER])


def test_misses_and_hits() -> None:
    async def test(ask: Any, bucket: Bucket, told: list[Invalidation]) -> None:
        assert [status(await ask()) for _ in range(3)] == ["miss", "hit", "hit"]
        bypass = {"bypassCacheOnRequestHeaders": [{"headerName": "X-Fresh"}]}
        assert status(await ask(headers={"x-fresh": "1"}, **bypass)) == "uncacheable"
        head = await ask("HEAD")
        assert [status(head), head.headers["content-length"], head.content] == ["hit", "3", b""]
        assert bucket.asked == 2
        told.append(Invalidation(float("inf"), "", "/b"))
        assert status(await ask()) == "hit"

    caching(test)


def test_a_kept_answer_is_validated_once_it_is_late() -> None:
    async def test(ask: Any, bucket: Bucket, _told: Any) -> None:
        await ask(maxTtl=0)
        again = await ask(maxTtl=0)
        assert [status(again), again.content, again.headers["age"]] == ["revalidated", b"one", "0"]
        bucket.etag, bucket.body = '"2"', b"two"
        changed = await ask(maxTtl=0)
        assert [status(changed), changed.content] == ["miss", b"two"]

    caching(test)


def test_a_stale_answer_is_served_while_another_is_fetched() -> None:
    async def test(ask: Any, bucket: Bucket, _told: Any) -> None:
        await ask()
        bucket.etag, bucket.body = '"2"', b"two"
        stale = await ask(maxTtl=0, serveWhileStale=60)
        assert [status(stale), stale.content] == ["stale", b"one"]
        while (fresh := await ask()).content != b"two":
            await asyncio.sleep(0.01)
        assert status(fresh) == "hit"

    caching(test)


def test_requests_for_one_object_may_share_a_fetch() -> None:
    async def test(ask: Any, bucket: Bucket, _told: Any) -> None:
        bucket.delay = 0.3
        found = await asyncio.gather(*(ask(requestCoalescing=True) for _ in range(5)))
        assert [one.content for one in found] == [b"one"] * 5
        assert bucket.asked == 1

    caching(test)


def test_what_may_not_be_kept_is_asked_for_each_time() -> None:
    async def test(ask: Any, bucket: Bucket, _told: Any) -> None:
        bucket.control = "private"
        assert [status(await ask()) for _ in range(2)] == ["uncacheable"] * 2
        assert [status(await ask(cacheMode="FORCE_CACHE_ALL")) for _ in range(2)] == ["miss", "hit"]

    caching(test)
