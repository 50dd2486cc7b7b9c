"""Middleware of a vLLM server: adapters are loaded and unloaded from its own pod only.

vLLM opens these paths to every caller once adapters may change at run time. It is a plain ASGI
application, so that the server needs nothing more than this file: `--middleware` of
https://docs.vllm.ai/en/latest/cli/serve/.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Scope]]
Send = Callable[[Scope], Awaitable[None]]
CLOSED = ("/v1/load_lora_adapter", "/v1/unload_lora_adapter", "/adapters")
"""Paths that change adapters, with what is below them; `/adapters` is SageMaker's."""
_OWN = ("127.", "::1", "::ffff:127.")


class PodOnly:
    """The application behind it, without these paths for callers outside the pod."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 403, or pass the request on."""
        if scope["type"] != "http" or not self._is_closed(scope):
            await self._app(scope, receive, send)
            return
        body = (
            b'{"error":{"message":"Adapters are changed from the pod only.",'
            b'"type":"PermissionDeniedError","param":null,"code":403}}'
        )
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 403, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    @staticmethod
    def _is_closed(scope: Scope) -> bool:
        client = scope.get("client")
        if client and str(client[0]).startswith(_OWN):
            return False
        path = "/" + str(scope["path"]).strip("/")
        root = str(scope.get("root_path") or "").rstrip("/")
        if root:
            path = path.removeprefix(root)
        return any(path == one or path.startswith(f"{one}/") for one in CLOSED)
