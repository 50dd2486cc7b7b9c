"""The port on which Envoy asks for what a backend bucket with Cloud CDN serves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from http import HTTPStatus

import httpx
import msgspec

from sandbox import tasks
from sandbox.kubernetes.controllers.connections import Connections
from sandbox.traffic.cdn.cache import Answer, Cache, Invalidation, Key, judged
from sandbox.traffic.cdn.policy import Policy

POLICY_HEADER = "x-sandbox-cdn"
"""The backend's policy, as JSON."""
ASKED_HEADER = "x-sandbox-asked"
"""Host and path as the client asked for them."""
STATUS_HEADER = "x-sandbox-cdn-status"
"""Of an answer: `hit`, `miss`, `revalidated`, `stale` or `uncacheable`."""
_LONGEST_HEAD = 1 << 18
_VALIDATORS = ("if-none-match", "if-modified-since")
_OWN = frozenset(
    {POLICY_HEADER, ASKED_HEADER, "host", "connection", "content-length", *_VALIDATORS}
)
_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "content-length", "server", "date"}
)
_PUBLIC = "public, max-age=3600"
"""What Cloud Storage says of public objects without a `Cache-Control` of their own."""
Invalidations = Callable[[str], list[Invalidation]]


class CdnServer:
    """A small HTTP server on 127.0.0.1, with a cache."""

    def __init__(self, storage: int, invalidations: Invalidations) -> None:
        """`storage` is the emulated API's port; `invalidations` has a project's."""
        self._storage = storage
        self._invalidations = invalidations
        self._cache = Cache()
        self._filling: dict[Key, asyncio.Future[Answer]] = {}
        self._refreshing: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._connections = Connections()
        self._client: httpx.AsyncClient | None = None

    async def start(self, port: int) -> None:
        """Listen on 127.0.0.1. Raises OSError."""
        self._client = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{self._storage}", timeout=60, trust_env=False
        )
        serve = self._connections.tracked(self._serve)
        self._server = await asyncio.start_server(serve, "127.0.0.1", port, limit=_LONGEST_HEAD)

    async def close(self) -> None:
        """Stop listening, and cut what is open."""
        if self._server is not None:
            self._server.close()
        await tasks.end(self._refreshing)
        await self._connections.close()
        if self._client is not None:
            await self._client.aclose()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                method, target, headers = _parsed(head)
                await _skip_body(reader, headers)
                answer, status = await self._answer(method, target, headers)
                age = int(time.time() - answer.kept_at) if status != "miss" else None
                is_kept = status not in ("miss", "uncacheable")
                writer.write(_encoded(answer, status, method, headers, age if is_kept else None))
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            pass  # Envoy answers 502 for a request under way
        except httpx.HTTPError:
            pass
        finally:
            writer.close()

    async def _answer(
        self, method: str, target: str, request: Mapping[str, str]
    ) -> tuple[Answer, str]:
        policy = _policy(request[POLICY_HEADER])
        host, path, query = _url(request.get(ASKED_HEADER, ""))
        if method not in ("GET", "HEAD") or policy.is_bypassed(request):
            return await self._fetch(method, target, request), "uncacheable"
        key = policy.key(target, query, request)
        project = policy.backend.split("/")[1]
        kept = self._cache.find(key, request, (host, path), self._invalidations(project))
        found = judged(kept, policy, request, time.time())
        if found.answer is not None and found.is_fresh:
            return found.answer, "hit"
        if found.answer is not None and found.may_be_stale:
            self._refresh(key, target, request, policy)
            return found.answer, "stale"
        if method == "HEAD":  # it fills nothing
            return await self._fetch("GET", target, request), "miss"
        if policy.request_coalescing and key in self._filling:
            return await asyncio.shield(self._filling[key]), "miss"
        return await self._fill(key, target, request, policy, kept)

    def _refresh(self, key: Key, target: str, request: Mapping[str, str], policy: Policy) -> None:
        if key in self._filling:
            return

        async def refresh() -> None:
            await self._fill(key, target, request, policy, None)

        task = asyncio.get_running_loop().create_task(refresh())
        self._refreshing.add(task)
        task.add_done_callback(self._refreshing.discard)

    async def _fill(
        self, key: Key, target: str, request: Mapping[str, str], policy: Policy,
        kept: Answer | None,
    ) -> tuple[Answer, str]:  # fmt: skip
        """Fetch an answer and keep it, if it may be kept; one that is kept is validated."""
        filling: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._filling[key] = filling
        began = time.time()
        try:
            etag = kept.headers.get("etag") if kept is not None else None
            found = await self._fetch("GET", target, request, {"if-none-match": etag or ""})
            if kept is not None and found.status == 304:
                found = Answer(kept.status, {**kept.headers, **found.headers}, kept.body, {})
                status = "revalidated"
            else:
                status = "miss"
            lifetime = policy.lifetime(found.status, found.headers, request)
            if lifetime is None:
                self._cache.forget(key)
                status = "uncacheable" if status == "miss" else status
            else:
                names = found.headers.get("vary", "").lower().split(",")
                found.varied = {one.strip(): request.get(one.strip()) for one in names if one}
                # From before it was asked for: an invalidation in between holds for it too.
                self._cache.keep(key, found, began)
            filling.set_result(found)
            return found, status
        except BaseException as error:
            if not filling.done():
                filling.set_exception(error)
                filling.exception()  # nobody else may wait for it
            raise
        finally:
            self._filling.pop(key, None)

    async def _fetch(
        self, method: str, target: str, request: Mapping[str, str],
        more: Mapping[str, str] | None = None,
    ) -> Answer:  # fmt: skip
        """Ask the bucket. Raises httpx.HTTPError."""
        assert self._client is not None  # noqa: S101 (`start` makes it)
        headers = {name: value for name, value in request.items() if name not in _OWN}
        headers |= {name: value for name, value in (more or {}).items() if value}
        answer = await self._client.request(method, target, headers=headers)
        found = {
            name.lower(): value
            for name, value in answer.headers.items()
            if name.lower() not in _HOP_BY_HOP and name.lower() != "content-encoding"
        }
        if answer.status_code == 200:
            found.setdefault("cache-control", _PUBLIC)
        return Answer(answer.status_code, found, answer.content, {}, time.time())


@lru_cache(maxsize=256)
def _policy(text: str) -> Policy:
    return msgspec.json.decode(text, type=Policy, strict=False)


def _url(asked: str) -> tuple[str, str, str]:
    """Host without its port, path and query."""
    authority, slash, rest = asked.partition("/")
    path, _, query = (slash + rest).partition("?")
    return authority.partition(":")[0], path, query


def _parsed(head: bytes) -> tuple[str, str, dict[str, str]]:
    line, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, target, _ = line.split(" ", 2)
    pairs = (one.partition(":") for one in lines)
    return method, target, {name.strip().lower(): value.strip() for name, _, value in pairs}


async def _skip_body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> None:
    """Buckets take no bodies."""
    if length := int(headers.get("content-length", 0)):
        await reader.readexactly(length)
    elif "chunked" in headers.get("transfer-encoding", ""):
        raise ValueError("a body without a length")


def _encoded(
    answer: Answer, status: str, method: str, request: Mapping[str, str], age: int | None
) -> bytes:
    code, body = answer.status, answer.body
    if code == 200 and _is_known(answer.headers, request):
        code, body = 304, b""
    lines = [f"HTTP/1.1 {code} {HTTPStatus(code).phrase}", f"{STATUS_HEADER}: {status}"]
    if code != 304:
        lines.append(f"content-length: {len(body)}")
    if age is not None:
        lines.append(f"age: {max(0, age)}")
    lines += [f"{name}: {value}" for name, value in answer.headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (b"" if method == "HEAD" else body)


def _is_known(headers: Mapping[str, str], request: Mapping[str, str]) -> bool:
    """Whether the client has the answer already."""
    if given := request.get("if-none-match"):
        tags = {one.strip().removeprefix("W/") for one in given.split(",")}
        return headers.get("etag", "").removeprefix("W/") in tags or "*" in tags
    since = request.get("if-modified-since")
    return since is not None and since == headers.get("last-modified")
