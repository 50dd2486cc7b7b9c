"""Language models for callers with keys behind the Inference Gateway.

A request passes the load balancer, the body-based router, the model's gateway, and then the
endpoint picker that the gateway asks. All of these are the real programs.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import yaml

from sandbox.home import Home
from sandbox.traffic.dial_plan import DialPlan
from tests.rehearsal import callers
from tests.rehearsal.callers import AMOUNTS, CHAT, Asking, eventually
from tests.rehearsal.workspace import ROOT, Workspace

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("pooled")]

Json = dict[str, Any]
PROJECT, HOST = "acme-ml-tiny", "llm.tiny.acme.example"
TALK, CODE = "talk", "code"
ADAPTER, OTHER, LATE = "support", "sql", "late"
HELD_MILLISECONDS = 10_000
"""How long an answer takes while others are chosen."""
GPU = {"type": "nvidia-l4", "count": 1}
ALLOWED = (("web", [TALK, CODE], 1000), ("batch", [TALK], None), ("other", [CODE], None))
"""Name, models and requests per minute of each caller."""


def environment(*adapters: str) -> Json:
    """The smallest one with two models on a host, one with adapters and one with a canary."""
    content: Json = yaml.safe_load((ROOT / "tests" / "smallest.yaml").read_text())
    values = content["config"]
    values["gke-cluster:network"]["proxies_cidr"] = "10.250.0.0/23"
    values["gke-cluster:cluster"]["secret_sync"] = True
    values["gke-cluster:node_pools"].append(
        {"name": "gpu", "machine_type": "g2-standard-8", "accelerator": GPU, "max_nodes": 4}
    )
    # The pickers ask the API server; an environment that has them waives this.
    values["gke-policies:levels"] = {"pods-mount-no-token-without-need": "advisory"}
    bucket = f"gs://{PROJECT}-models"
    canary = {"weights": {"stable": 50, "canary": 50}, "source": f"{bucket}/code-next"}
    listed = [{"name": one, "source": f"{bucket}/{one}"} for one in adapters]
    values["gke-serving:models"] = [
        {
            "name": name,
            "server": "vllm",
            "source": f"{bucket}/{name}",
            "files": {"via": "download", "size": "1Gi"},
            "replicas": {"min": replicas, "max": replicas},
            "resources": {"requests": AMOUNTS, "limits": AMOUNTS, "gpu": GPU},
            "exposure": {
                "kind": "inference-gateway",
                "hosts": [HOST],
                "failure": failure,
                "timeout_seconds": 30,
            },
            **more,
        }
        for name, failure, replicas, more in (
            (TALK, "open", 2, {"adapters": listed, "lora": {"max_loras": 1}}),
            (CODE, "close", 1, {"canary": {**canary, "replicas": {"min": 1, "max": 1}}}),
        )
    ]
    values["gke-serving:callers"] = {
        "failure": "close",
        "allowed": [
            {
                "name": name,
                "models": models,
                "keys": [
                    {"secret_manager": f"key-{name}", "version": number + 1}
                    for number in range(len(callers.SECRETS[f"key-{name}"]))
                ],
                **({"requests_per_minute": requests} if requests else {}),
                **({"tokens_per_minute": callers.TOKENS} if name == "batch" else {}),
            }
            for name, models, requests in ALLOWED
        ],
    }
    return content


def test_callers_with_keys_at_the_inference_gateway(other_workspace: Workspace) -> None:
    file = other_workspace.root / "stacks" / "Pulumi.tiny.yaml"
    file.write_text(yaml.safe_dump(environment(ADAPTER, OTHER)))
    callers.make_keys(other_workspace, PROJECT)
    ask = Asking(other_workspace, other_workspace.rehearse("tiny"), TALK)
    with ask.client:
        for model in (TALK, CODE):
            eventually(lambda model=model: _chat(ask, "web", model).status_code == 200)
        _check_keys(ask)
        _check_tokens(ask)
        _check_audit_log(ask)
        _check_adapters(ask)
        _check_pods(ask)
        before = _names(ask)
        file.write_text(yaml.safe_dump(environment(OTHER, LATE)))
        other_workspace.platformctl("rehearse", "tiny", "--layer", "serving")
        eventually(lambda: _chat(ask, "web", LATE).status_code == 200)
        eventually(lambda: _chat(ask, "web", ADAPTER).status_code == 404)
        assert _names(ask) == before
        _check_the_picker_is_asked_last(ask)
        _check_no_pods(ask)


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
            assert ("x-ratelimit-limit" in answer.headers) == (key != "other")
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


def _names(ask: Asking, name: str = TALK) -> list[str]:
    return sorted(one["metadata"]["name"] for one in _servers(ask, name))


def _servers(ask: Asking, name: str = TALK) -> list[Json]:
    chosen = ("-n", "models", "-l", f"app.kubernetes.io/name={name}")
    found: list[Json] = ask.workspace.kubernetes_of(ask.environment, "pods", *chosen)["items"]
    return found


def _kubectl(ask: Asking, *words: str) -> None:
    context = ask.workspace.context_of(ask.environment)
    ask.workspace.kubectl("--context", context, "-n", "models", *words)


def _runs(ask: Asking, adapter: str) -> str | None:
    """The pod whose gauge tells that it runs requests for an adapter now."""
    plan = DialPlan.read(Home(ask.workspace.home).dial_plan)
    for pod in _servers(ask):
        port = plan.port(PROJECT, pod["status"]["podIP"], 8000)
        text = ask.client.get(f"http://127.0.0.1:{port}/metrics").text
        steps = re.findall(
            r'^vllm:lora_requests_info{.*running_lora_adapters="(.*?)".*} (.+)$', text, re.M
        )
        if steps and max(steps, key=lambda one: float(one[1]))[0] == adapter:
            return str(pod["metadata"]["name"])
    return None


def _check_adapters(ask: Asking) -> None:
    """Requests for an adapter go to the server that runs it: each has room for one."""
    pace = "sandbox/latency-milliseconds"
    _kubectl(
        ask,
        "annotate",
        "pods",
        "-l",
        f"app.kubernetes.io/name={TALK}",
        f"{pace}={HELD_MILLISECONDS}",
    )
    place = {}
    with ThreadPoolExecutor(12) as threads:
        for adapter in (ADAPTER, OTHER):
            threads.submit(_chat, ask, "web", adapter, f"held {adapter}")
            place[adapter] = eventually(lambda adapter=adapter: _runs(ask, adapter))
        assert len(set(place.values())) == 2
        asked = [
            (adapter, threads.submit(_chat, ask, "web", adapter, f"{adapter} {turn} " * 40))
            for turn in range(4)
            for adapter in (ADAPTER, OTHER)
        ]
        assert [(one, _pod(found.result())) for one, found in asked] == [
            (one, place[one]) for one, _ in asked
        ]
    _kubectl(ask, "annotate", "pods", "-l", f"app.kubernetes.io/name={TALK}", f"{pace}-")


def _check_no_pods(ask: Asking) -> None:
    """A pool without pods answers 503, and again once there is one."""
    deployments = ("deployment", CODE, f"{CODE}-canary")
    _kubectl(ask, "scale", *deployments, "--replicas=0")
    eventually(lambda: {_chat(ask, "web", CODE).status_code for _ in range(4)} == {503})
    _kubectl(ask, "scale", *deployments, "--replicas=1")
    eventually(lambda: {_chat(ask, "web", CODE).status_code for _ in range(8)} == {200})


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
        pickers = (f"{name}-epp" for name in (TALK, CODE, f"{CODE}-canary"))
        _kubectl(ask, "scale", "deployment", *pickers, f"--replicas={replicas}")

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
