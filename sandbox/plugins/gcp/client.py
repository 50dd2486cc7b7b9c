"""The HTTP client for Google's APIs: requests with retries, and polling of operations.

Transient failures (429, 5xx, broken connections, resources not ready) are retried; all others are
an `ApiFailure` with Google's message. A cancel ends every wait at once.
"""

from __future__ import annotations

import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import httpx
import tenacity

from sandbox.plugins.gcp.config import Config
from sandbox.plugins.gcp.failures import ApiFailure, Cancelled, OperationFailure
from sandbox.plugins.provider import PluginError

TRANSIENT = frozenset({429, 500, 502, 503, 504})
NOT_READY = ("resourceNotReady", "operationInProgress")
RETRY_SECONDS = 120.0  # total, while the service is unavailable
FAULT_SECONDS = 20.0  # total, while it answers 500
CONNECT_SECONDS = 4.0  # total, while the connection fails
FIRST_POLL, LONGEST_POLL = 0.05, 2.0  # seconds between polls of an operation
_RELATIVE = re.compile(r"^https?://[^/]+/(?:compute/[^/]+/|v\d[^/]*/|container/v\d[^/]*/)?")


class Transient(Exception):  # noqa: N818  # not an error yet: it is retried
    """A transient failure, and for how many seconds to retry."""

    def __init__(self, failure: PluginError, seconds: float) -> None:
        super().__init__(str(failure))
        self.failure, self.seconds = failure, seconds


class Client:
    """Sends requests to the services of one configured provider; thread-safe."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.cancelled = threading.Event()
        limits = httpx.Limits(max_connections=64, max_keepalive_connections=32)
        self._http = httpx.Client(timeout=60, limits=limits, trust_env=False)
        self._locks: dict[str, threading.RLock] = defaultdict(threading.RLock)
        self._locks_lock = threading.Lock()

    def close(self) -> None:
        """End all waits and close all connections."""
        self.cancelled.set()
        self._http.close()

    def lock(self, name: str) -> threading.RLock:
        """The lock for a read-modify-write of the resource `name`."""
        with self._locks_lock:
            return self._locks[name]

    def sleep(self, seconds: float) -> None:
        """Wait, unless cancelled."""
        if self.cancelled.wait(seconds):
            raise Cancelled

    def request(
        self,
        service: str,
        method: str,
        path: str,
        body: Any = None,
        params: Mapping[str, Any] | None = None,
        content: tuple[str, bytes] | None = None,
    ) -> dict[str, Any]:
        """One request's JSON answer; `path` follows the service's base address."""
        url = path if path.startswith("http") else f"{self.config.endpoint(service)}{path}"
        # The wait is ours (`wait`), so that it can be cancelled: no answer is to be held back.
        headers = {"Authorization": f"Bearer {self.config.token}", "Prefer": "wait=0"}
        if content:
            headers["Content-Type"] = content[0]
        given: dict[str, Any] = {"content": content[1]} if content else {"json": body}
        if body is None and not content:
            given = {}
        send = partial(self._http.request, method, url, params=params, headers=headers, **given)
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(Transient),
            wait=tenacity.wait_random_exponential(multiplier=0.1, max=10),
            stop=_is_timed_out,
            sleep=self.sleep,
            reraise=True,
        )
        try:
            return retrying(self._once, send)
        except Transient as transient:
            raise transient.failure from transient.__cause__

    def _once(self, send: Callable[[], httpx.Response]) -> dict[str, Any]:
        if self.cancelled.is_set():
            raise Cancelled
        try:
            response = send()
        except httpx.TransportError as error:
            host = error.request.url.copy_with(path="/", query=None)
            failure = PluginError(f"cannot reach {host} ({error}); is the service running?")
            connect = isinstance(error, httpx.ConnectError)
            raise Transient(failure, CONNECT_SECONDS if connect else RETRY_SECONDS) from error
        if response.is_success:
            return _decoded(response)
        refused = _failure(response)
        if _is_transient(refused):
            raise Transient(refused, FAULT_SECONDS if refused.code == 500 else RETRY_SECONDS)
        raise refused

    def call(  # a request, and where to poll its operation
        self,
        service: str,
        method: str,
        path: str,
        body: Any = None,
        params: Mapping[str, Any] | None = None,
        *,
        timeout: float = 0,
        parent: str = "",
    ) -> dict[str, Any]:
        """Send a request; wait for the operation, if it starts one."""
        answer = self.request(service, method, path, body, params)
        return self.wait(service, answer, timeout=timeout, parent=parent)

    def wait(
        self, service: str, operation: dict[str, Any], *, timeout: float = 0, parent: str = ""
    ) -> dict[str, Any]:
        """Wait for an operation; any other answer is returned as it is."""
        path = operation_path(operation, parent)
        if not path:
            return operation
        deadline = time.monotonic() + (timeout or 2400)
        pause = FIRST_POLL
        while not _is_done(operation):
            if time.monotonic() > deadline:
                name = operation.get("name")
                raise OperationFailure(f"timeout while waiting for operation {name} to be done")
            self.sleep(pause)
            pause = min(pause * 1.5, LONGEST_POLL)
            operation = self.request(service, "GET", path)
        _raise_for(operation)
        return operation


def operation_path(answer: Mapping[str, Any], parent: str = "") -> str:
    """The path of an operation; "" if the answer is not an operation.

    `parent` is the location of a container operation, whose own link has the project's number.
    """
    name = str(answer.get("name", ""))
    if answer.get("kind") == "compute#operation":
        return _RELATIVE.sub("", str(answer["selfLink"]))
    if "operationType" in answer and "status" in answer:
        return f"{parent}/operations/{name}" if parent else _RELATIVE.sub("", answer["selfLink"])
    is_long_running = name.startswith("operations/") or "/operations/" in name
    return name if is_long_running and ("done" in answer or "metadata" in answer) else ""


def _is_done(operation: Mapping[str, Any]) -> bool:
    return operation.get("status") == "DONE" or bool(operation.get("done"))


def _raise_for(operation: Mapping[str, Any]) -> None:
    error = operation.get("error")
    if not error:
        return
    errors = error.get("errors") or [error]
    message = "; ".join(
        f"{one.get('message', 'unknown error')}"
        + (f" ({one['code']})" if one.get("code") is not None else "")
        for one in errors
    )
    raise OperationFailure(message)


def _decoded(response: httpx.Response) -> dict[str, Any]:
    if not response.content:
        return {}
    try:
        answer = response.json()
    except ValueError as error:
        raise PluginError(f"{response.request.url}: the answer is not JSON") from error
    return answer if isinstance(answer, dict) else {"value": answer}


def _failure(response: httpx.Response) -> ApiFailure:
    try:
        error = response.json()["error"]
        first = (error.get("errors") or [{}])[0]
        reason = first.get("reason") or error.get("status", "")
        return ApiFailure(response.status_code, reason, str(error["message"]).strip())
    except (ValueError, KeyError, TypeError, AttributeError):
        text = response.text.strip()[:300] or response.reason_phrase
        return ApiFailure(response.status_code, "", text)


def _is_timed_out(state: tenacity.RetryCallState) -> bool:
    failure = state.outcome.exception() if state.outcome else None
    limit = failure.seconds if isinstance(failure, Transient) else 0.0
    return (state.seconds_since_start or 0.0) > limit


def _is_transient(failure: ApiFailure) -> bool:
    if failure.code in TRANSIENT or failure.reason in NOT_READY:
        return True
    # The container API refuses to change a cluster during another operation.
    return failure.code in (400, 409) and "incompatible operation" in failure.message
