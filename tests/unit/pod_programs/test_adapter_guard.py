"""The middleware that keeps callers from changing a server's adapters."""

import asyncio
import json
from typing import Any

import pytest

from infra.serving.models.adapters import GUARD
from infra.serving.pod_programs import adapter_guard
from infra.serving.pod_programs.adapter_guard import PodOnly, Receive, Scope, Send

POD, CALLER = "127.0.0.1", "10.64.0.9"


def asked(path: str, client: str | None, **more: Any) -> list[Any]:
    """What is sent to a caller; the server behind it says `server`."""
    sent: list[Any] = []

    async def server(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "server"})

    async def receive() -> Scope:
        return {"type": "http.request"}

    async def send(message: Scope) -> None:
        sent.append(message)

    scope: Scope = {
        "type": "http",
        "path": path,
        "client": (client, 1234) if client else None,
        **more,
    }
    asyncio.run(PodOnly(server)(scope, receive, send))
    return sent


@pytest.mark.parametrize(
    "path",
    [
        "/v1/load_lora_adapter",
        "/v1/unload_lora_adapter",
        "/v1/load_lora_adapter/",
        "//v1/load_lora_adapter",
        "/adapters",
        "/adapters/support",
    ],
)
@pytest.mark.parametrize("client", [CALLER, "2001:db8::1", None])
def test_callers_are_refused(path: str, client: str | None) -> None:
    start, body = asked(path, client)
    assert start["status"] == 403
    assert json.loads(body["body"])["error"]["type"] == "PermissionDeniedError"
    assert asked(path, POD) == [{"type": "server"}]


@pytest.mark.parametrize("client", [POD, "127.0.0.8", "::1", "::ffff:127.0.0.1"])
def test_the_pod_itself_is_not(client: str) -> None:
    assert asked("/v1/load_lora_adapter", client) == [{"type": "server"}]


@pytest.mark.parametrize("path", ["/v1/models", "/v1/chat/completions", "/adapters-of-mine", "/"])
def test_other_paths_are_open(path: str) -> None:
    assert asked(path, CALLER) == [{"type": "server"}]


def test_a_path_below_a_root_is_refused_too() -> None:
    assert asked("/llm/v1/load_lora_adapter", CALLER, root_path="/llm")[0]["status"] == 403


def test_other_protocols_pass() -> None:
    assert asked("/v1/load_lora_adapter", CALLER, type="lifespan") == [{"type": "server"}]


def test_the_server_is_told_where_it_is() -> None:
    module, _, name = GUARD.rpartition(".")
    assert adapter_guard.__name__.endswith(f".{module}")
    assert getattr(adapter_guard, name) is PodOnly
