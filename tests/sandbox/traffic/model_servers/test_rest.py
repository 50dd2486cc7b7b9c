"""Each server's REST API: its paths, and its words for errors."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest

from sandbox.traffic.model_servers import custom_rest, inference_rest, openai_rest, tensorflow_rest
from sandbox.traffic.model_servers.kinds import model_server
from sandbox.traffic.model_servers.messages import Answer, Request
from sandbox.traffic.model_servers.served import Served
from tests.sandbox.traffic.model_servers.cluster import (
    CUSTOM,
    MLSERVER,
    TENSORFLOW,
    TRITON,
    VLLM,
)

_PROTOCOLS = {
    "tensorflow-serving": tensorflow_rest.answer,
    "triton": inference_rest.answer,
    "mlserver": inference_rest.answer,
    "vllm": openai_rest.answer,
    "custom": custom_rest.answer,
}


def ask(
    container: dict[str, Any],
    target: str,
    body: Any = None,
    *,
    method: str = "",
    headers: dict[bytes, bytes] | None = None,
    is_loaded: bool = True,
) -> Answer:
    server = model_server(container)
    assert server is not None
    served = Served(
        pod="pod-1",
        namespace="models",
        node="node-1",
        zone="europe-west4-a",
        version="v1",
        server=server,
        is_loaded=is_loaded,
    )
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    verb = method or ("GET" if body is None else "POST")
    request = Request(verb, target.encode(), list((headers or {}).items()), data)
    return _PROTOCOLS[server.kind](served, request)


def events(answer: Answer) -> list[Any]:
    texts = [one.decode().removeprefix("data: ").strip() for one in answer.chunks]
    assert texts[-1] == "[DONE]"
    return [json.loads(one) for one in texts[:-1]]


# TensorFlow Serving


def test_tensorflow_predictions() -> None:
    answer = ask(TENSORFLOW, "/v1/models/resnet:predict", {"instances": [[1.0], [2.0]]})
    first, second = json.loads(answer.body)["predictions"]
    assert first != second
    again = ask(TENSORFLOW, "/v1/models/resnet/versions/1:predict", {"instances": [[2.0]]})
    assert json.loads(again.body)["predictions"] == [second]
    columns = ask(TENSORFLOW, "/v1/models/resnet:predict", {"inputs": {"x": [[2.0]]}})
    assert json.loads(columns.body) == {"outputs": [second]}


def test_tensorflow_judgements() -> None:
    examples = {"examples": [{"x": 1.0}, {"x": 2.0}]}
    classes = json.loads(ask(TENSORFLOW, "/v1/models/resnet:classify", examples).body)["results"]
    assert [[label for label, _ in one] for one in classes] == [["0", "1"], ["0", "1"]]
    values = json.loads(ask(TENSORFLOW, "/v1/models/resnet:regress", examples).body)["results"]
    assert [one[1][1] for one in classes] == values


def test_tensorflow_status_and_metadata() -> None:
    status = json.loads(ask(TENSORFLOW, "/v1/models/resnet").body)["model_version_status"]
    assert [(one["version"], one["state"]) for one in status] == [("1", "AVAILABLE")]
    assert ask(TENSORFLOW, "/v1/models/resnet/versions/1").status == 200
    metadata = json.loads(ask(TENSORFLOW, "/v1/models/resnet/metadata").body)
    assert metadata["model_spec"]["name"] == "resnet"
    assert "serving_default" in metadata["metadata"]["signature_def"]["signature_def"]


@pytest.mark.parametrize(
    ("target", "body", "status", "words"),
    [
        (":predict", b'{"instances', 400, "JSON Parse error: Invalid value. at offset: 0"),
        (":predict", b"", 400, "JSON Parse error: The document is empty"),
        (":predict", b"\xff", 400, "JSON Parse error: Invalid value. at offset: 0"),
        (":predict", [], 400, "JSON Value: [] Is not object"),
        (":predict", {}, 400, "Missing 'inputs' or 'instances' key"),
        (":predict", {"instances": []}, 400, "No values in 'instances' array"),
        (":predict", {"instances": 1}, 400, "to be an list/array"),
        (":predict", {"instances": [1], "inputs": 1}, 400, "expecting only one of"),
        (":predict", {"instances": [1, {"x": 1}]}, 400, "got object at item 1 of input list"),
        (":predict", {"instances": [{"x": 1}, 1]}, 400, "got list at item 1 of input list"),
        (":classify", {"instances": [1]}, 400, "key 'examples' is expected and was not found"),
        ("/versions/2:predict", {"instances": [1]}, 404, "Specific(resnet, 2)"),
        ("/labels/stable:predict", {"instances": [1]}, 400, "Unrecognized servable version label"),
        ("s:predict", {"instances": [1]}, 404, "Servable not found for request: Latest(resnets)"),
        ("s", None, 404, "Could not find any versions of model resnets"),
        ("/versions/2", None, 404, "Could not find version 2 of model resnet"),
        (":predict", None, 400, "Malformed request: GET /v1/models/resnet:predict"),
        (":explain", {}, 400, "Malformed request: POST /v1/models/resnet:explain"),
    ],
)
def test_tensorflow_errors(target: str, body: Any, status: int, words: str) -> None:
    answer = ask(TENSORFLOW, f"/v1/models/resnet{target}", body)
    assert answer.status == status
    assert words in json.loads(answer.body)["error"]
    assert not answer.verb


def test_tensorflow_has_no_other_paths() -> None:
    assert ask(TENSORFLOW, "/healthz").status == 404


# The open inference protocol


@pytest.mark.parametrize("server", [TRITON, MLSERVER], ids=["triton", "mlserver"])
def test_inference_protocol(server: dict[str, Any]) -> None:
    name = server["name"]
    assert [
        ask(server, one).status
        for one in ("/v2/health/live", "/v2/health/ready", f"/v2/models/{name}/ready", "/v2")
    ] == [200] * 4
    tensor = {"name": "x", "shape": [2, 1], "datatype": "FP32", "data": [1, 2]}
    answer = ask(server, f"/v2/models/{name}/infer", {"id": "7", "inputs": [tensor]})
    result = json.loads(answer.body)
    assert (answer.status, result["id"], result["model_name"]) == (200, "7", name)
    assert result["outputs"][0]["shape"] == [2]
    assert len(result["outputs"][0]["data"]) == 2
    assert result["parameters"]["pod"] == "pod-1"
    wanted = {"inputs": [tensor], "outputs": [{"name": "a"}, {"name": "b"}]}
    named = json.loads(ask(server, f"/v2/models/{name}/versions/1/infer", wanted).body)
    assert [one["name"] for one in named["outputs"]] == ["a", "b"]


def test_what_is_not_ready() -> None:
    assert ask(MLSERVER, "/v2/health/live", is_loaded=False).status == 200
    assert ask(MLSERVER, "/v2/health/ready", is_loaded=False).status == 400
    assert ask(MLSERVER, "/v2/models/fraud/ready", is_loaded=False).status == 400


@pytest.mark.parametrize(
    ("server", "target", "body", "status"),
    [
        (TRITON, "/v2/models/x/infer", {"inputs": []}, 400),
        (MLSERVER, "/v2/models/x/infer", {"inputs": []}, 404),
        (TRITON, "/v2/models/segmenter/infer", b"{", 400),
        (TRITON, "/v2/models/segmenter/infer", {}, 400),
        (TRITON, "/v2/models/segmenter/infer", None, 405),
        (TRITON, "/v2/models/x/ready", None, 400),
        (TRITON, "/v1/models/segmenter", None, 404),
        (MLSERVER, "/v2/models/x/ready", None, 404),
    ],
)
def test_inference_errors(server: dict[str, Any], target: str, body: Any, status: int) -> None:
    assert ask(server, target, body).status == status


def test_binary_tensors() -> None:
    tensor = {"name": "x", "shape": [2], "datatype": "FP32"}
    body = {
        "inputs": [{**tensor, "parameters": {"binary_data_size": 8}}],
        "outputs": [{"name": "y", "parameters": {"binary_data": True}}],
    }
    head = json.dumps(body).encode()
    headers = {b"Inference-Header-Content-Length": b"%d" % len(head)}
    target = "/v2/models/segmenter/infer"
    answer = ask(TRITON, target, head + struct.pack("<2f", 1, 2), headers=headers)
    (_, length), *_ = answer.headers
    described = json.loads(answer.body[: int(length)])["outputs"][0]
    values = struct.unpack("<2f", answer.body[int(length) :])
    assert described["parameters"] == {"binary_data_size": 8}
    other = ask(TRITON, target, head + struct.pack("<2f", 1, 3), headers=headers)
    assert struct.unpack("<2f", other.body[int(length) :]) != values


# OpenAI


def test_chat() -> None:
    body = {"model": "chat", "messages": [{"role": "user", "content": "one two three"}]}
    answer = json.loads(ask(VLLM, "/v1/chat/completions", body).body)
    assert answer["choices"][0]["message"] == {"role": "assistant", "content": "one two three"}
    assert answer["usage"] == {"prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6}
    assert "pod-1" in answer["system_fingerprint"]
    short = json.loads(ask(VLLM, "/v1/chat/completions", {**body, "max_tokens": 1}).body)
    assert short["choices"][0]["finish_reason"] == "length"


def test_chat_stream() -> None:
    body = {
        "model": "chat",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "one two"}]}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    answer = ask(VLLM, "/v1/chat/completions", body)
    assert answer.content_type.startswith(b"text/event-stream")
    *chunks, last = events(answer)
    assert {one["object"] for one in chunks} == {"chat.completion.chunk"}
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    text = "".join(one["choices"][0]["delta"].get("content", "") for one in chunks)
    assert (text, chunks[-1]["choices"][0]["finish_reason"]) == ("one two", "stop")
    assert (last["choices"], last["usage"]["total_tokens"]) == ([], 4)


def test_completions_and_embeddings() -> None:
    answer = json.loads(
        ask(VLLM, "/v1/completions", {"model": "chat", "prompt": ["a b", "c"]}).body
    )
    assert [one["text"] for one in answer["choices"]] == ["a b", "c"]
    stream = events(ask(VLLM, "/v1/completions", {"prompt": "a b", "stream": True}))
    assert "".join(one["choices"][0]["text"] for one in stream) == "a b"
    rows = json.loads(ask(VLLM, "/v1/embeddings", {"model": "chat", "input": ["a", "b"]}).body)
    first, second = (one["embedding"] for one in rows["data"])
    assert len(first) == len(second)
    assert first != second


@pytest.mark.parametrize(
    ("target", "body", "status"),
    [
        ("/v1/chat/completions", {"model": "x", "messages": [{"role": "user"}]}, 404),
        ("/v1/chat/completions", {"model": "chat"}, 400),
        ("/v1/chat/completions", {"model": "chat", "messages": [1]}, 400),
        ("/v1/completions", {"model": "chat"}, 400),
        ("/v1/embeddings", b"{", 400),
        ("/v1/chat/completions", None, 405),
        ("/v1/models/x", None, 404),
        ("/nowhere", None, 404),
    ],
)
def test_openai_errors(target: str, body: Any, status: int) -> None:
    answer = ask(VLLM, target, body)
    assert answer.status == status
    assert not answer.verb


def test_openai_lists_its_models_and_is_healthy() -> None:
    listed = json.loads(ask(VLLM, "/v1/models").body)["data"]
    assert [one["id"] for one in listed] == ["chat"]
    assert [ask(VLLM, one).status for one in ("/health", "/ping", "/version", "/v1/models/chat")] \
        == [200] * 4  # fmt: skip


# custom


@pytest.mark.parametrize("target", ["/", "/healthz", "/predict", "/a/b?c=1"])
def test_custom_answers_every_path(target: str) -> None:
    seen = json.loads(ask(CUSTOM, target).body)
    assert (seen["path"], seen["pod"]) == (target.partition("?")[0], "pod-1")


def test_custom_speaks_known_protocols() -> None:
    chat = {"model": "any", "messages": [{"role": "user", "content": "hi"}]}
    assert "choices" in json.loads(ask(CUSTOM, "/v1/chat/completions", chat).body)
    assert "predictions" in json.loads(ask(CUSTOM, "/v1/models/m:predict", {"instances": [1]}).body)
    # What that protocol would refuse may be right for the server's own API.
    assert ask(CUSTOM, "/v1/models/m:predict", {"rows": [1]}).status == 200


# LoRA adapters

UPDATING = {"name": "VLLM_ALLOW_RUNTIME_LORA_UPDATING", "value": "True"}
OPEN_VLLM = {**VLLM, "args": [*VLLM["args"], "--enable-lora"], "env": [UPDATING]}


def test_adapters_of_the_start_are_listed_and_answer() -> None:
    words = ["--enable-lora", "--lora-modules", "support=/a/support", '{"name":"x","path":"/x"}']
    container = {**VLLM, "args": [*VLLM["args"], *words]}
    listed = json.loads(told(container, "/v1/models").body)["data"]
    assert [(one["id"], one.get("parent")) for one in listed] == [
        ("chat", None),
        ("support", "chat"),
        ("x", "chat"),
    ]
    question = {"model": "support", "messages": [{"role": "user", "content": "Hello"}]}
    answer = told(container, "/v1/chat/completions", question)
    assert (answer.status, json.loads(answer.body)["model"]) == (200, "support")


def told(container: dict[str, Any], *requests: Any) -> Answer:
    """The last answer of a server that is asked paths, each maybe followed by a body."""
    server = model_server(container)
    assert server is not None
    served = Served(
        pod="p", namespace="n", node="n", zone="z", version="v", server=server,
        adapters=dict(server.adapters),
    )  # fmt: skip
    answer = None
    for index, target in enumerate(requests):
        if not isinstance(target, str):
            continue
        following = requests[index + 1 : index + 2]
        body = following[0] if following and isinstance(following[0], dict) else None
        data = b"" if body is None else json.dumps(body).encode()
        verb = "GET" if body is None else "POST"
        answer = openai_rest.answer(served, Request(verb, target.encode(), [], data))
    assert answer is not None
    return answer


def names(answer: Answer) -> list[str]:
    return [one["id"] for one in json.loads(answer.body)["data"]]


def test_adapters_are_loaded_and_unloaded_where_that_is_allowed() -> None:
    load = ("/v1/load_lora_adapter", {"lora_name": "a", "lora_path": "/a"})
    unload = ("/v1/unload_lora_adapter", {"lora_name": "a"})
    assert names(told(OPEN_VLLM, *load, "/v1/models")) == ["chat", "a"]
    assert names(told(OPEN_VLLM, *load, *unload, "/v1/models")) == ["chat"]
    assert b"has already been loaded" in told(OPEN_VLLM, *load, *load).body
    assert told(OPEN_VLLM, *load, load[0], {**load[1], "load_inplace": True}).status == 200
    assert told(OPEN_VLLM, *unload).status == 404
    assert told(OPEN_VLLM, load[0], {"lora_name": "a"}).status == 400
    assert told(OPEN_VLLM, load[0]).status == 405


def test_adapters_are_not_changed_where_that_is_not_allowed() -> None:
    load = ("/v1/load_lora_adapter", {"lora_name": "a", "lora_path": "/a"})
    assert told({**OPEN_VLLM, "env": []}, *load).status == 404
    guarded = [*OPEN_VLLM["args"], "--middleware=adapter_guard.PodOnly"]
    assert told({**OPEN_VLLM, "args": guarded}, *load).status == 403


def test_an_adapter_that_is_not_loaded_is_unknown() -> None:
    question = {"model": "a", "messages": [{"role": "user", "content": "Hello"}]}
    answer = told(OPEN_VLLM, "/v1/chat/completions", question)
    assert answer.status == 404
    assert json.loads(answer.body)["error"]["message"] == "The model `a` does not exist."
