"""OpenAI's API as vLLM and Text Generation Inference speak it, with streams of server-sent events.

The text that is generated repeats the prompt's words. Tokens are words. Times of creation are 0, so
that an answer depends on the request only.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from sandbox.traffic.model_servers.messages import EVENTS, JSON, TEXT, Answer, Request, encode
from sandbox.traffic.model_servers.served import Served, score

CHAT, COMPLETIONS, EMBEDDINGS = "/v1/chat/completions", "/v1/completions", "/v1/embeddings"
_DIMENSIONS = 8
_OTHER_WORK = frozenset(
    {
        "/v1/responses",
        "/v1/messages",
        "/v1/score",
        "/v1/rerank",
        "/v1/audio/transcriptions",
        "/v1/audio/translations",
        "/v2/embed",
        "/v2/rerank",
        "/inference/v1/generate",
        "/pooling",
        "/classify",
        "/score",
        "/rerank",
        "/invocations",
        "/generate",
        "/generate_stream",
    }
)
_TOOLS = frozenset({"/tokenize", "/detokenize"})
LOAD, UNLOAD = "/v1/load_lora_adapter", "/v1/unload_lora_adapter"
_EMPTY = frozenset({"/health", "/ping"})
_PAGES = frozenset({"/docs", "/openapi.json", "/tokenizer_info", "/load", "/version", "/info"})
WORK = frozenset({CHAT, COMPLETIONS, EMBEDDINGS}) | _OTHER_WORK
_Body = dict[str, Any]


def answer(served: Served, request: Request) -> Answer:  # noqa: PLR0911  # one a case
    """The answer to a request."""
    path, method = request.path, request.method
    if path in (LOAD, UNLOAD) and served.server.updates_adapters:
        return _adapters(served, request)
    if path in WORK or path in _TOOLS:
        if method != "POST":
            return Answer.of({"detail": "Method Not Allowed"}, 405)
        found = _worked(served, request)
        if found.model in served.adapters:
            found.adapter = found.model
        return found
    if method not in ("GET", "HEAD") and not (path == "/ping" and method == "POST"):
        known = path in _EMPTY or path in _PAGES or path.startswith("/v1/models")
        if known:
            return Answer.of({"detail": "Method Not Allowed"}, 405)
        return Answer.of({"detail": "Not Found"}, 404)
    if path in _EMPTY:
        return Answer(200 if served.is_loaded else 503, b"", TEXT)
    if path == "/version":
        return Answer.of({"version": served.version})
    if path == "/load":
        return Answer.of({"server_load": 0})
    if path in _PAGES:
        return Answer.of(served.where())
    if path == "/v1/models":
        names = served.server.models or (served.model,)
        cards = [_card(served, name) for name in names]
        cards += [
            {**_card(served, name), "root": root, "parent": names[0]}
            for name, root in served.adapters.items()
        ]
        return Answer.of({"object": "list", "data": cards})
    if path.startswith("/v1/models/"):
        name = path.removeprefix("/v1/models/")
        return Answer.of(_card(served, name)) if served.has(name) else _unknown(name)
    return Answer.of({"detail": "Not Found"}, 404)


def _card(served: Served, name: str) -> dict[str, Any]:
    """vllm/entrypoints/openai/engine/protocol.py: ModelCard."""
    longest = served.server.longest
    told = {} if longest is None else {"max_model_len": longest}
    return {"id": name, "object": "model", "created": 0, "owned_by": "vllm", "root": name, **told}


def _adapters(served: Served, request: Request) -> Answer:  # noqa: PLR0911  # one a case
    """Load or unload an adapter, as vLLM does where this is allowed."""
    if request.method != "POST":
        return Answer.of({"detail": "Method Not Allowed"}, 405)
    if served.server.updates_adapters == "pod":
        # Callers of a sandbox are outside the pods; what the list says comes by `set_adapters`.
        return _error(403, "Adapters are changed from the pod only.")
    try:
        body = request.json()
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return _error(400, f"JSON decode error: {error}")
    body = body if isinstance(body, dict) else {}
    name, folder = str(body.get("lora_name") or ""), str(body.get("lora_path") or "")
    if request.path == UNLOAD:
        if not name:
            return _error(400, "'lora_name' needs to be provided to unload a LoRA adapter.")
        if served.adapters.pop(name, None) is None:
            return _error(404, f"The lora adapter '{name}' cannot be found.")
        return Answer(200, f"Success: LoRA adapter '{name}' removed successfully.".encode(), TEXT)
    if not name or not folder:
        return _error(400, "Both 'lora_name' and 'lora_path' must be provided.")
    if name in served.adapters and not body.get("load_inplace"):
        return _error(
            400,
            f"The lora adapter '{name}' has already been loaded. If you want to load the adapter "
            "in place, set 'load_inplace' to True.",
        )
    served.adapters[name] = folder
    return Answer(200, f"Success: LoRA adapter '{name}' added successfully.".encode(), TEXT)


def _worked(served: Served, request: Request) -> Answer:  # noqa: PLR0911  # one a case
    kind = request.header(b"content-type") or b""
    body: Any = {}
    if not kind.startswith(b"multipart/"):
        try:
            body = request.json()
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return _error(400, f"JSON decode error: {error}")
    if not isinstance(body, dict):
        return _error(400, "Input should be a valid dictionary or object to extract fields from")
    model = body.get("model") or served.model
    if not isinstance(model, str) or not served.has(model):
        return _unknown(str(model))
    path = request.path
    if path == CHAT:
        return _chat(served, body, model)
    if path == COMPLETIONS:
        return _completions(served, body, model)
    if path == EMBEDDINGS:
        return _embeddings(body, model)
    if path == "/tokenize":
        words = _words(body.get("prompt") or body.get("messages"))
        tokens = [zlib.crc32(word.encode()) % 32_000 for word in words]
        longest = served.server.longest or 4096
        return Answer.of({"count": len(tokens), "max_model_len": longest, "tokens": tokens})
    result = {"model": model, "score": score(body), **served.where()}
    if path in _TOOLS:
        return Answer.of(result)
    verb = path.rpartition("/")[2]
    return Answer(200, encode(result), JSON, verb=verb, model=model, error=_error)


def _chat(served: Served, body: _Body, model: str) -> Answer:
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        return _error(400, "[{'type': 'missing', 'loc': ('body', 'messages')}]")
    if not all(isinstance(one, dict) and "role" in one for one in messages):
        return _error(400, "[{'type': 'missing', 'loc': ('body', 'messages', 0, 'role')}]")
    read = [word for one in messages for word in _words(one.get("content"))]
    written, reason = _generated(_words(messages[-1].get("content")), body)
    base = _base("chatcmpl", "chat.completion", served, body, model)
    usage = _usage(len(read), len(written))
    if body.get("stream"):
        parts = [{"role": "assistant", "content": ""}, *({"content": one} for one in written)]
        choices: list[_Body] = [{"index": 0, "delta": one, "finish_reason": None} for one in parts]
        choices.append({"index": 0, "delta": {}, "finish_reason": reason})
        return _stream("chat", base, choices, _asked(served, body), model, usage, read)
    message = {"role": "assistant", "content": "".join(written)}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
    result = {**base, "choices": [choice], "usage": usage}
    return _answered("chat", result, model, usage, read)


def _completions(served: Served, body: _Body, model: str) -> Answer:
    prompt = body.get("prompt")
    if prompt is None:
        return _error(400, "[{'type': 'missing', 'loc': ('body', 'prompt')}]")
    prompts = prompt if isinstance(prompt, list) and prompt else [prompt]
    if all(isinstance(one, int) for one in prompts):
        prompts = [prompts]
    base = _base("cmpl", "text_completion", served, body, model)
    choices: list[_Body] = []
    count = 0
    for place, one in enumerate(prompts):
        written, reason = _generated(_words(one), body)
        count += len(written)
        pieces = written if body.get("stream") else ["".join(written)]
        choices += [
            {"index": place, "text": piece, "logprobs": None, "finish_reason": None}
            for piece in pieces
        ]
        choices[-1]["finish_reason"] = reason
    read = [word for one in prompts for word in _words(one)]
    usage = _usage(len(read), count)
    if body.get("stream"):
        return _stream("completions", base, choices, _asked(served, body), model, usage, read)
    result = {**base, "choices": choices, "usage": usage}
    return _answered("completions", result, model, usage, read)


def _embeddings(body: _Body, model: str) -> Answer:
    texts = body.get("input")
    if texts is None:
        return _error(400, "[{'type': 'missing', 'loc': ('body', 'input')}]")
    rows = texts if isinstance(texts, list) else [texts]
    if rows and all(isinstance(one, int) for one in rows):
        rows = [rows]
    data = [
        {
            "object": "embedding",
            "index": place,
            "embedding": [score([one, dimension]) for dimension in range(_DIMENSIONS)],
        }
        for place, one in enumerate(rows)
    ]
    usage = _usage(sum(len(_words(one)) for one in rows), 0)
    result = {"object": "list", "data": data, "model": model, "usage": usage}
    return _answered("embeddings", result, model, usage, ())


def _base(prefix: str, kind: str, served: Served, body: _Body, model: str) -> _Body:
    is_chunk = body.get("stream") and prefix == "chatcmpl"
    return {
        "id": f"{prefix}-{zlib.crc32(encode(body)):08x}",
        "object": f"{kind}.chunk" if is_chunk else kind,
        "created": 0,
        "model": model,
        # Free text by OpenAI's definition: what runs the model.
        "system_fingerprint": f"{served.pod}/{served.version}/{served.zone}",
    }


def _generated(words: list[str], body: _Body) -> tuple[list[str], str]:
    """The pieces of the text that is generated, and why it ends."""
    pieces = [word if place == 0 else f" {word}" for place, word in enumerate(words or ["OK"])]
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    if isinstance(limit, int) and 0 < limit < len(pieces):
        return pieces[:limit], "length"
    return pieces, "stop"


def _words(content: Any) -> list[str]:
    if isinstance(content, str):
        return content.split()
    if isinstance(content, list):
        return [word for one in content for word in _words(one)]
    if isinstance(content, dict):
        return _words(content.get("text") or content.get("content"))
    return [] if content is None else [str(content)]


def _usage(read: int, written: int) -> dict[str, int]:
    return {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": read + written,
    }


def _answered(
    verb: str, result: _Body, model: str, usage: dict[str, int], prompt: Sequence[str]
) -> Answer:
    tokens = usage["prompt_tokens"], usage["completion_tokens"]
    return Answer(
        200, encode(result), JSON, verb=verb, model=model, error=_error, tokens=tokens,
        prompt=prompt,
    )  # fmt: skip


def _asked(served: Served, body: _Body) -> _Body:
    """The body with what the server adds to it (`--enable-force-include-usage`)."""
    if not served.server.includes_usage:
        return body
    options = body.get("stream_options")
    given = options if isinstance(options, dict) else {}
    return {**body, "stream_options": {**given, "include_usage": True}}


def _stream(  # noqa: PLR0917  # what an answer is made of
    verb: str,
    base: _Body,
    choices: list[_Body],
    body: _Body,
    model: str,
    usage: dict[str, int],
    prompt: Sequence[str],
) -> Answer:
    def events() -> Iterator[bytes]:
        options = body.get("stream_options")
        wants_usage = isinstance(options, dict) and bool(options.get("include_usage"))
        for choice in choices:
            last = {"usage": None} if wants_usage else {}
            yield b"data: " + encode({**base, "choices": [choice], **last}) + b"\n\n"
        if wants_usage:
            yield b"data: " + encode({**base, "choices": [], "usage": usage}) + b"\n\n"
        yield b"data: [DONE]\n\n"

    tokens = usage["prompt_tokens"], usage["completion_tokens"]
    return Answer(
        200, b"", EVENTS, chunks=tuple(events()), verb=verb, model=model, error=_error,
        tokens=tokens, prompt=prompt,
    )  # fmt: skip


def _unknown(model: str) -> Answer:
    return _error(404, f"The model `{model}` does not exist.")


def _error(status: int, words: str) -> Answer:
    kinds = {400: "BadRequestError", 403: "PermissionDeniedError", 404: "NotFoundError"}
    kind = kinds.get(status, "InternalServerError")
    error = {"message": words, "type": kind, "param": None, "code": status}
    return Answer.of({"error": error}, status)
