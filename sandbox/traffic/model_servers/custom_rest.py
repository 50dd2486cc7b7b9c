"""A server that is not recognised: it answers 200 on every path, and says what it saw.

Where a path is one of a known protocol it speaks that protocol, so that a server of one's own which
follows OpenAI's API or the open inference protocol answers as its callers expect. TorchServe's own
paths are here too: https://pytorch.org/serve/inference_api.html.
"""

from __future__ import annotations

import re

from sandbox.traffic.model_servers import inference_rest, openai_rest, tensorflow_rest
from sandbox.traffic.model_servers.messages import JSON, Answer, Request, encode
from sandbox.traffic.model_servers.served import Served, score

_V1 = re.compile(r"/v1/models/[^/:]+(?:/versions/\d+)?:(predict|classify|regress)")
_V2 = re.compile(r"/v2/models/[^/]+(/versions/[^/]+)?/infer")
_OPENAI = frozenset({openai_rest.CHAT, openai_rest.COMPLETIONS, openai_rest.EMBEDDINGS})
_QUIET = re.compile(
    r"/(healthz?|health/.*|livez?|readyz?|liveness|readiness|ping|status|v2/health/.*|_ah/health)/?"
)
"""Paths that cost a server nothing: they are answered at once."""


def answer(served: Served, request: Request) -> Answer:
    """The answer to a request."""
    path = request.path
    if request.method == "POST" and request.body.startswith(b"{"):
        for known, speak in (
            (_V1.fullmatch(path), tensorflow_rest.answer),
            (_V2.fullmatch(path), inference_rest.answer),
            (path in _OPENAI, openai_rest.answer),
        ):
            if known:
                spoken = speak(served, request)
                # Its own API may differ: what the protocol refuses is answered as any path.
                if spoken.status < 400:
                    return spoken
    seen = {
        **served.where(),
        "method": request.method,
        "path": path,
        "query": request.query,
        "headers": {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in request.headers
        },
        "bytes": len(request.body),
        "result": score(request.body.decode("latin-1")),
    }
    if request.method in ("GET", "HEAD", "OPTIONS") and _QUIET.fullmatch(path):
        return Answer.of({"status": "ok", **seen})
    return Answer(200, encode(seen), JSON, verb="request", model=served.model, error=_error)


def torchserve(served: Served, request: Request) -> Answer:  # noqa: PLR0911  # one a case
    """The answer of TorchServe."""
    path = request.path.rstrip("/")
    if path == "/ping":
        if served.is_loaded:
            return Answer.of({"status": "Healthy"})
        return Answer.of({"status": "Unhealthy"}, 500)
    if path == "/models":
        names = served.server.models or (served.model,)
        return Answer.of({"models": [{"modelName": one, "modelUrl": one} for one in names]})
    family, _, rest = path.removeprefix("/").partition("/")
    name = rest.partition("/")[0]
    if family in ("predictions", "explanations", "models") and name:
        if not served.has(name):
            words = f"Model not found: {name}"
            return Answer.of({"code": 404, "type": "ModelNotFoundException", "message": words}, 404)
        if family == "models":
            return Answer.of([{"modelName": name, "modelVersion": "1.0", "workers": []}])
        result = score(request.body.decode("latin-1"))
        verb = family.removesuffix("s")
        return Answer(200, encode(result), JSON, verb=verb, model=name, error=_failed)
    words = "Requested resource is not found, please refer to API document."
    return Answer.of({"code": 404, "type": "ResourceNotFoundException", "message": words}, 404)


def _error(status: int, words: str) -> Answer:
    return Answer.of({"error": words}, status)


def _failed(status: int, words: str) -> Answer:
    return Answer.of({"code": status, "type": "InternalServerException", "message": words}, status)
