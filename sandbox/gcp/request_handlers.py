"""The way of a request through the emulated API: an ordered list of handlers.

Each handler looks at one thing. It may add to the request, answer it, or raise ApiError; the first
answer ends the way. Errors are then put into the shape of the service, and the request recorded.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import msgspec

from sandbox.gcp import schema, wire_types
from sandbox.gcp.control import Control
from sandbox.gcp.errors import ApiError
from sandbox.gcp.request import Request
from sandbox.gcp.router import Router, not_emulated
from sandbox.gcp.service import Call, Raw, Service, State
from sandbox.gcp.services import serviceusage
from sandbox.services import named

_log = logging.getLogger("sandbox.gcp")
_CONTROL = "/sandbox/v1/"
_JSON = "application/json; charset=UTF-8"
_PROJECT_PARAMETERS = ("project", "projectsId", "projectId")
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True)
class Emulator:
    """What handlers work with: the services, how to find them, and the shared state."""

    services: Mapping[str, Service]
    router: Router
    control: Control
    state: State


Handler = Callable[[Emulator, Request], Awaitable[Raw | None]]


async def answer_control(emulator: Emulator, request: Request) -> Raw | None:
    """Answer the sandbox's own endpoint, which needs no token."""
    if not request.url_path.startswith(_CONTROL):
        return None
    path = request.url_path.removeprefix(_CONTROL)
    return await emulator.control.answer(request.verb, path, request.body)


async def resolve_service(emulator: Emulator, request: Request) -> None:
    """Parse the path, and find the service by host or path."""
    request.path = emulator.router.parse(request.verb, request.host, request.url_path)


async def authenticate(_: Emulator, request: Request) -> None:
    """Refuse a request without a bearer token; any token will do."""
    if not request.headers.get("authorization", "").lower().startswith("bearer "):
        raise ApiError(
            401,
            "Request is missing required authentication credential. Expected OAuth 2 access "
            "token, login cookie or other valid authentication credential.",
            reason="required",
        )


async def inject_fault(emulator: Emulator, request: Request) -> None:
    """Fail where a test has asked for a fault."""
    emulator.control.fail(request.verb, request.path.text)


async def find_method(emulator: Emulator, request: Request) -> None:
    """Find the method of Google's API, and the path's parameters."""
    request.method, request.parameters = emulator.router.method(
        request.verb, request.path, request.url_path
    )
    service = emulator.services.get(request.path.service)
    if service is None or request.method.id not in service.handlers:
        raise not_emulated(request.verb, request.url_path, request.method.id)


async def decode_body(_: Emulator, request: Request) -> None:
    """Read the body as JSON; an upload's body is content."""
    if request.path.is_upload or not request.body.strip():
        return
    try:
        request.document = _decode(request.body)
    except msgspec.DecodeError as error:
        raise ApiError(
            400, f"Invalid JSON payload received. {error}", reason="parseError"
        ) from None


async def validate_body(_: Emulator, request: Request) -> None:
    """Check the body against the method's schema."""
    method = request.method
    if method.request and not request.path.is_upload:
        if wire_types.asks_for_numbers(request.alt):
            request.document = wire_types.with_names(
                method.document, method.request, request.document
            )
        schema.check(
            method.document,
            method.request,
            request.document,
            drop_unknown=named(method.service).ignores_unknown_names,
        )
        request.document = wire_types.received(method.document, method.request, request.document)


async def require_enabled_service(emulator: Emulator, request: Request) -> None:
    """Refuse a call to an API that the project has not enabled."""
    if not emulator.state.enforce_enabled_services:
        return
    for name in _PROJECT_PARAMETERS:
        if name in request.parameters:
            serviceusage.refuse_if_disabled(
                emulator.state, request.path.service, request.parameters[name]
            )
            return


async def dispatch(emulator: Emulator, request: Request) -> Raw:
    """Let the service answer."""
    handler = emulator.services[request.path.service].handlers[request.method.id]
    result = await handler(
        Call(
            method=request.method,
            path=request.parameters,
            query=request.query,
            body=request.document,
            state=emulator.state,
            headers=request.headers,
            raw=request.body,
            url_path=request.path.below_version,
        )
    )
    if isinstance(result, Raw):
        return result
    if wire_types.asks_for_numbers(request.alt) and request.method.response:
        document = request.method.document
        result = wire_types.with_numbers(document, request.method.response, result)
    return Raw(_encode(result), 200, _JSON)


HANDLERS: tuple[Handler, ...] = (
    answer_control,
    resolve_service,
    authenticate,
    inject_fault,
    find_method,
    decode_body,
    validate_body,
    require_enabled_service,
    dispatch,
)


async def answer(emulator: Emulator, request: Request) -> Raw:
    """The answer to a request; every exception becomes one."""
    try:
        found = await _first_answer(emulator, request)
    except ApiError as error:
        found = _error_answer(request, error)
    except Exception as error:
        # A bug of the sandbox, and reported as one: a client must not take it for Google's answer.
        _log.exception("%s %s", request.verb, request.url_path)
        reason = f"{type(error).__name__}: {error}"
        message = f"the sandbox failed on {request.verb} {request.url_path}: {reason}"
        found = _error_answer(request, ApiError(500, message))
    if not request.url_path.startswith(_CONTROL):
        emulator.control.record(request.verb, request.url_path, found.status)
    return found


async def _first_answer(emulator: Emulator, request: Request) -> Raw:
    for handler in HANDLERS:
        found = await handler(emulator, request)
        if found is not None:
            return found
    raise AssertionError("dispatch answers or raises")


def _error_answer(request: Request, error: ApiError) -> Raw:
    return Raw(_encode(error.body(request.path.service, alt=request.alt)), error.code, _JSON)
