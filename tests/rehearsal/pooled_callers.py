"""Language models for callers with keys behind the Inference Gateway. Not a test.

A request passes the load balancer, the body-based router, the model's gateway, and then the
endpoint picker that the gateway asks. All of these are the real programs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.rehearsal.callers import AMOUNTS, CHAT, Asking, eventually

Json = dict[str, Any]
HOST = "pooled.qa.acme.example"
TALK, CODE, ADAPTER = "talk", "code", "support"


def add(values: Json) -> None:
    """Put two models on a host, one with an adapter and one with a canary, after `callers.add`."""
    values["gke-cluster:network"]["proxies_cidr"] = "10.250.0.0/23"
    (pool,) = (one for one in values["gke-cluster:node_pools"] if one["name"] == "gpu")
    pool["max_nodes"] = 4
    bucket = f"gs://{values['gcp:project']}-models"
    canary = {"weights": {"stable": 50, "canary": 50}, "source": f"{bucket}/code-next"}
    for name, failure, replicas, more in (
        (TALK, "open", 2, {"adapters": [{"name": ADAPTER, "source": f"{bucket}/{ADAPTER}"}]}),
        (CODE, "close", 1, {"canary": {**canary, "replicas": {"min": 1, "max": 1}}}),
    ):
        exposure = {"kind": "inference-gateway", "hosts": [HOST], "failure": failure}
        values["gke-serving:models"].append(
            {
                "name": name,
                "server": "vllm",
                "source": f"{bucket}/{name}",
                "files": {"via": "download", "size": "1Gi"},
                "replicas": {"min": replicas, "max": replicas},
                "resources": {
                    "requests": AMOUNTS,
                    "limits": AMOUNTS,
                    "gpu": {"type": "nvidia-l4", "count": 1},
                },
                "exposure": {**exposure, "timeout_seconds": 30},
                **more,
            }
        )
    web, batch, other = values["gke-serving:callers"]["allowed"]
    web["models"] += [TALK, CODE]
    other["models"].append(CODE)
    batch["models"].append(TALK)


def check(workspace: Any, run: Mapping[str, Any]) -> None:
    """Ask as callers do: keys and limits first, then the picker's pod."""
    ask = Asking(workspace, run, TALK)
    with ask.client:
        eventually(lambda: _chat(ask, "web", TALK).status_code == 200)
        eventually(lambda: _chat(ask, "web", CODE).status_code == 200)
        _check_keys(ask)
        _check_pods(ask)
        _check_tokens(ask)
        _check_audit_log(ask)
        _check_the_picker_is_asked_last(ask)


def _chat(ask: Asking, key: str | None, model: str, prompt: str = "a b c", **more: Any) -> Any:
    messages = [{"role": "user", "content": prompt}]
    return ask(key, {"model": model, "messages": messages, "max_tokens": 12, **more})


def _check_keys(ask: Asking) -> None:
    for key, model, status in (
        (None, TALK, 401),
        ("nobody-0123456789", CODE, 401),
        ("other", TALK, 403),
        ("other", ADAPTER, 403),
        ("other", CODE, 200),
        ("web", TALK, 200),
        ("next", CODE, 200),
        ("web", ADAPTER, 200),
    ):
        answer = _chat(ask, key, model)
        assert answer.status_code == status, (key, model, answer.text)
        if status == 200:
            assert answer.json()["model"] == model
            assert answer.headers["x-ratelimit-limit"] if key != "other" else True
    versions = {_pod(_chat(ask, "web", CODE)).startswith("code-canary-") for _ in range(30)}
    assert versions == {True, False}


def _pod(answer: Any) -> str:
    assert answer.status_code == 200, answer.text
    return str(answer.headers["x-served-by-pod"])


def _check_pods(ask: Asking) -> None:
    """Prompts that begin alike go to one pod, and others to both: the picker chooses."""
    begin = " ".join(f"shared-{word}" for word in range(320))
    first = _pod(_chat(ask, "web", TALK, begin))
    assert {_pod(_chat(ask, "web", TALK, f"{begin} {turn}")) for turn in range(8)} == {first}
    alone = {_pod(_chat(ask, "web", TALK, f"{turn} " * 320)) for turn in range(8)}
    assert len(alone) == 2


def _check_tokens(ask: Asking) -> None:
    """The tokens of streams through picker and gateway count for all models of a caller."""

    def streamed() -> Any:
        answer = _chat(ask, "batch", TALK, stream=True)
        assert answer.status_code in (200, 429), answer.text
        if answer.status_code == 200:
            assert "[DONE]" in answer.text
        return answer

    refused = eventually(lambda: one if (one := streamed()).status_code == 429 else None)
    assert refused.json()["error"]["code"] == "rate_limit_exceeded"
    assert refused.headers["x-ratelimit-remaining"] == "0"


def _lines(ask: Asking, request: str) -> list[Json]:
    return [one for one in ask.audited() if one["request_id"] == request]


def _check_audit_log(ask: Asking) -> None:
    headers = {"x-request-id": "pooled"}
    body = {"model": ADAPTER, "messages": [{"role": "user", "content": "a"}], "stream": True}
    assert ask("next", body, **headers).status_code == 200
    (line,) = eventually(lambda: _lines(ask, "pooled"))
    told = {key: line[key] for key in ("caller", "model", "path", "status")}
    assert told == {"caller": "web", "model": ADAPTER, "path": CHAT, "status": 200}
    assert line["total_tokens"] == line["prompt_tokens"] + line["completion_tokens"] > 0


def _check_the_picker_is_asked_last(ask: Asking) -> None:
    """Without pickers, keys are checked; then a model that fails open answers, and one does not."""

    def scale(replicas: int) -> None:
        context = ask.workspace.context_of(ask.environment)
        for name in (TALK, CODE, f"{CODE}-canary"):
            ask.workspace.kubectl(
                "--context", context, "-n", "models", "scale", "deployment", f"{name}-epp",
                f"--replicas={replicas}",
            )  # fmt: skip

    scale(0)
    try:
        eventually(lambda: _chat(ask, "web", CODE).status_code == 503)
        eventually(lambda: {_chat(ask, "web", TALK).status_code for _ in range(8)} == {200})
        assert {_chat(ask, "web", CODE).status_code for _ in range(6)} == {503}
        assert {_chat(ask, None, model).status_code for model in (TALK, CODE)} == {401}
        begin = " ".join(f"shared-{word}" for word in range(320))
        assert len({_pod(_chat(ask, "web", TALK, begin)) for _ in range(16)}) == 2
    finally:
        scale(1)
    eventually(lambda: {_chat(ask, "web", CODE).status_code for _ in range(8)} == {200})
