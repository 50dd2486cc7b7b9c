"""The emulated API as an ASGI application: from a request's bytes to an answer's.

A request's life: token, service and version (by Host header, by path prefix, else by the path
alone), faults asked for by a test, method by the trie, body by the schema, handler. Whatever a
handler raises becomes an error in Google's shape; nothing is swallowed.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

import msgspec

from sandbox.gcp import schema
from sandbox.gcp.control import Control
from sandbox.gcp.discovery import Document, Method, Trie, documents
from sandbox.gcp.errors import ApiError
from sandbox.gcp.service import Call, Raw, Service, State, project_number
from sandbox.gcp.services import all_services, serviceusage
from sandbox.gcp.store import Store

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_log = logging.getLogger("sandbox.gcp")
_HOST = ".googleapis.com"
# Services whose own paths begin with their name: there the prefix is part of the path.
_OWN_PREFIX = frozenset({"compute", "dns", "storage"})
_PROJECT_PARAMETERS = ("project", "projectsId", "projectId")
_JSON = "application/json; charset=UTF-8"
_encode = msgspec.json.Encoder().encode
_PROJECT = re.compile(r"/projects/([^/:]+)")


class App:
    """The application. `state` is open for the tests and the daemon."""

    def __init__(
        self,
        state_path: Path | None,
        control_planes: Any = None,
        *,
        services: Mapping[str, Service] | None = None,
    ) -> None:
        self.state = State(Store(state_path), control_planes)
        self._services = all_services() if services is None else dict(services)
        self._control = Control(self.state)
        by_service: dict[str, list[Method]] = {}
        for document in documents():
            by_service.setdefault(document.name, []).extend(document.methods)
        self._tries = {name: Trie(tuple(methods)) for name, methods in by_service.items()}
        self._requests: deque[dict[str, Any]] = self._control.requests
        self._project_ids = {project_number(name): name for name in self.state.store.projects()}

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """ASGI's entry point."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            answer = await self._answer(scope, receive)
            await _send(answer, send)

    async def start(self) -> None:
        """Start what the services do beside requests, such as bringing clusters back."""
        for service in self._services.values():
            if service.on_start is not None:
                await service.on_start(self.state)

    async def stop(self) -> None:
        """End it, and close the store."""
        for service in self._services.values():
            if service.on_stop is not None:
                await service.on_stop(self.state)
        for task in list(self.state.tasks):
            task.cancel()
        await asyncio.gather(*self.state.tasks, return_exceptions=True)
        self.state.store.close()

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self.start()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _answer(self, scope: Mapping[str, Any], receive: Receive) -> Raw:
        headers = {k.decode().lower(): v.decode("latin-1") for k, v in scope["headers"]}
        raw_path = scope.get("raw_path") or scope["path"].encode()
        path = raw_path.decode("ascii", "replace").partition("?")[0]
        query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        body = await _read(receive)
        verb = headers.get("x-http-method-override", scope["method"])
        if path.startswith("/sandbox/v1/"):
            return await self._control.answer(verb, path.removeprefix("/sandbox/v1/"), body)
        service, rest = self._resolve(headers.get("host", ""), path)
        rest = self._by_id(rest)
        try:
            answer = await self._dispatch(service, verb, rest, query, headers, body)
        except ApiError as error:
            alt = (query.get("alt") or [""])[-1]
            answer = Raw(_encode(error.body(service, alt=alt)), error.code, _JSON)
        except Exception as error:
            # A bug of ours, and said to be one: a client must not take it for Google's answer.
            _log.exception("%s %s", verb, path)
            reason = f"{type(error).__name__}: {error}"
            wrong = ApiError(500, f"the sandbox failed on {verb} {path}: {reason}")
            answer = Raw(_encode(wrong.body(service)), 500, _JSON)
        self._requests.append({"method": verb, "path": path, "status": answer.status})
        return answer

    def _by_id(self, path: str) -> str:
        """The path with a project's number replaced by its id: Google takes both."""
        found = _PROJECT.search(path)
        if found is None:
            return path
        project = found[1]
        if not project.isdigit():
            self._project_ids[project_number(project)] = project
            return path
        known = self._project_ids.get(project, project)
        return f"{path[: found.start(1)]}{known}{path[found.end(1) :]}"

    def _resolve(self, host: str, path: str) -> tuple[str, str]:
        """Service and path below the service's host. The path is left as it came."""
        name = host.partition(":")[0]
        if name.endswith(_HOST) and name.removesuffix(_HOST) in self._tries:
            return name.removesuffix(_HOST), path
        first, _, rest = path.lstrip("/").partition("/")
        if first == "upload":
            return "storage", path
        if first in self._tries:
            return first, path if first in _OWN_PREFIX else f"/{rest}"
        for service, trie in self._tries.items():
            if trie.find("GET", _decoded(path))[2]:
                return service, path
        return "compute", path

    async def _dispatch(
        self,
        service: str,
        verb: str,
        path: str,
        query: Mapping[str, list[str]],
        headers: Mapping[str, str],
        body: bytes,
    ) -> Raw:
        if not headers.get("authorization", "").lower().startswith("bearer "):
            raise _no_token()
        await self._control.before(verb, path)
        method, values = self._method(service, verb, path)
        handler = (
            self._services[service].handlers.get(method.id) if service in self._services else None
        )
        if handler is None:
            raise _not_emulated(verb, path, method.id)
        is_upload = path.startswith(("/upload/", "/resumable/"))
        document = {} if is_upload else _decoded_body(body)
        if method.request and not is_upload:
            schema.check(method.document, method.request, document)
        call = Call(
            method=method,
            path={name: unquote(value) for name, value in values.items()},
            query=query,
            body=document,
            state=self.state,
            headers=headers,
            raw=body,
            url_path=unquote(_as_v1(path)).lstrip("/").removeprefix(_prefix(method)),
        )
        project = next((call.path[n] for n in _PROJECT_PARAMETERS if n in call.path), None)
        if project is not None:
            serviceusage.refuse_if_disabled(self.state, service, project)
        result = await handler(call)
        if isinstance(result, Raw):
            return result
        return Raw(_encode(result), 200, _JSON)

    def _method(self, service: str, verb: str, path: str) -> tuple[Method, dict[str, str]]:
        plain = path
        for prefix in ("/upload", "/resumable/upload"):
            plain = plain.removeprefix(prefix)
        plain = _as_v1(plain)
        method, values, known = self._tries[service].find(verb, plain)
        if method is None:
            if known:
                raise ApiError(405, f"{verb} is not allowed on {path}", status="UNIMPLEMENTED")
            raise _not_emulated(verb, path, None)
        return method, values


def create_app(state_path: Path | None, control_planes: Any = None) -> App:
    """The application with all services; without `control_planes`, clusters are not booted."""
    return App(state_path, control_planes)


def _as_v1(path: str) -> str:
    """Other versions of compute are served as v1: what we emulate is alike in them."""
    for version in ("/compute/beta/", "/compute/alpha/"):
        if path.startswith(version):
            return "/compute/v1/" + path.removeprefix(version)
    return path


def _prefix(method: Method) -> str:
    """What stands before `projects/…` in the method's path."""
    document: Document = method.document
    own = f"{method.service}/{document.version}/"
    return own if method.service in _OWN_PREFIX else f"{document.version}/"


def _decoded(path: str) -> str:
    return unquote(path)


def _decoded_body(body: bytes) -> Any:
    if not body.strip():
        return {}
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise ApiError(
            400, f"Invalid JSON payload received. {error}", reason="parseError"
        ) from None


def _no_token() -> ApiError:
    return ApiError(
        401,
        "Request is missing required authentication credential. Expected OAuth 2 access token, "
        "login cookie or other valid authentication credential.",
        reason="required",
    )


def _not_emulated(verb: str, path: str, method: str | None) -> ApiError:
    name = f" ({method})" if method else ""
    return ApiError(501, f"sandbox does not emulate {verb} {path}{name}")


async def _read(receive: Receive) -> bytes:
    chunks: list[bytes] = []
    while True:
        message = await receive()
        chunks.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(chunks)


async def _send(answer: Raw, send: Send) -> None:
    headers = [
        (b"content-type", answer.content_type.encode()),
        (b"content-length", str(len(answer.content)).encode()),
        *((k.lower().encode(), v.encode()) for k, v in answer.headers.items()),
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.content})
