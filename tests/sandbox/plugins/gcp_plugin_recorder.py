"""A few lines that answer like Google's API, to see what the plugin asks and how it waits.

It keeps bodies by path and checks nothing: whether a request is right in Google's eyes is what the
tests against the emulated API say.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx

from sandbox.plugins.gcp.client import Client
from sandbox.services import SERVICES
from tests.sandbox.plugins.gcp_plugin_harness import Engine

ENDPOINTS = {row.option: f"http://api.test/{row.name}/" for row in SERVICES}
COMPUTE = "https://www.googleapis.com/compute/v1/"


class Recorder:
    """Requests seen, objects kept, and faults to answer with first."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, Any]] = []
        self.objects: dict[str, dict[str, Any]] = {}
        self.faults: list[Callable[[httpx.Request], httpx.Response]] = []
        self.operations: dict[str, dict[str, Any]] = {}
        self.polls_until_done = 1

    def engine(self, **settings: Any) -> Engine:
        engine = Engine(accessToken="t", **ENDPOINTS, **settings)
        client = Client(engine.provider._config)
        client._http = httpx.Client(transport=httpx.MockTransport(self.answer))
        client.cancelled = engine.provider.cancelled
        engine.provider._client = client
        return engine

    def asked(self, method: str) -> list[tuple[str, Any]]:
        return [(path, body) for verb, path, body in self.requests if verb == method]

    def answer(self, request: httpx.Request) -> httpx.Response:
        service, _, path = request.url.path.lstrip("/").partition("/")
        body = json.loads(request.content) if request.content.startswith(b"{") else None
        self.requests.append((request.method, path, body))
        if self.faults:
            return self.faults.pop(0)(request)
        if "/operations/" in path:
            return self._poll(path.rpartition("/")[2])
        if request.method == "GET":
            return httpx.Response(200, json=self.objects[path]) if path in self.objects else gone()
        return self._write(request.method, service, path, body or {})

    def _write(self, method: str, service: str, path: str, body: Any) -> httpx.Response:
        inner = body.get("cluster") or body.get("nodePool") or body
        if method == "POST" and "name" in inner:
            path = f"{path}/{inner['name']}"
            self.objects[path] = {**inner, "id": "7", "fingerprint": "f0", "status": "RUNNING"}
            if service == "compute":
                self.objects[path]["selfLink"] = f"{COMPUTE}{path}"
        elif method == "DELETE":
            if self.objects.pop(path, None) is None:
                return gone()
        else:
            target = path if path in self.objects else path.rpartition("/")[0]
            for key, value in body.items():
                self.objects.get(target, {})[key] = value
        return self._operation(service, path)

    def _operation(self, service: str, path: str) -> httpx.Response:
        name = f"op-{len(self.operations) + 1}"
        operation: dict[str, Any] = {"name": name, "status": "RUNNING", "polls": 0}
        if service == "compute":
            operation |= {
                "kind": "compute#operation",
                "selfLink": f"{COMPUTE}projects/p/global/operations/{name}",
            }
        else:
            operation |= {"operationType": "UPDATE", "selfLink": f"https://x/v1/{path}"}
        self.operations[name] = operation
        return httpx.Response(200, json=operation)

    def _poll(self, name: str) -> httpx.Response:
        operation = self.operations[name]
        operation["polls"] += 1
        if operation["polls"] >= self.polls_until_done:
            operation["status"] = "DONE"
        return httpx.Response(200, json=operation)


def gone() -> httpx.Response:
    error = {"code": 404, "message": "was not found", "errors": [{"reason": "notFound"}]}
    return httpx.Response(404, json={"error": error})


def refused(code: int, reason: str, message: str) -> Callable[[httpx.Request], httpx.Response]:
    error = {"code": code, "message": message, "errors": [{"reason": reason}]}
    return lambda _: httpx.Response(code, json={"error": error})
