"""Language models for callers with keys behind the Inference Gateway.

A request passes the load balancer, the body-based router, the model's gateway, and then the
endpoint picker that the gateway asks. All of these are the real programs.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from cli.traffic import load
from cli.traffic.figures import Result
from cli.traffic.target import Target
from sandbox.home import Home
from sandbox.traffic.dial_plan import DialPlan
from tests.rehearsal import callers
from tests.rehearsal.callers import AMOUNTS, CHAT, KEYS, Asking, eventually
from tests.rehearsal.workspace import ROOT, Workspace

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("pooled")]

Json = dict[str, Any]
PROJECT, HOST = "acme-ml-tiny", "llm.tiny.acme.example"
TALK, CODE = "talk", "code"
ADAPTER, OTHER = "support", "sql"
COLD_SECONDS = 300
"""How long a model without pods may take to answer: its picker's metrics are collected each 15 s,
KEDA asks as often, and a pod is ready when it has been asked three times, 10 s apart."""
HELD_SECONDS, STREAM_SECONDS = 15, 2
"""How long an answer takes while others are chosen, and while streams are under way."""
PACE = "sandbox/latency-milliseconds"
GPU = {"type": "nvidia-l4", "count": 1}
WAITING = {"kind": "pod", "name": "vllm:num_requests_waiting", "average": "4"}
WAKES = {"replicas": {"min": 0, "max": 1}, "autoscaling": {"metrics": [WAITING]}}
"""It has no pods without requests."""
ALLOWED = (("web", [TALK, CODE], 100_000), ("batch", [TALK], None), ("other", [CODE], None))
"""Name, models and requests per minute of each caller."""


def environment(*adapters: str, wakes: bool = False) -> Json:
    """The smallest one with two models on a host, one with adapters and one with a canary.

    `wakes`: the latter has no pods without requests, and KEDA starts them.
    """
    content: Json = yaml.safe_load((ROOT / "tests" / "smallest.yaml").read_text())
    values = content["config"]
    values["gke-cluster:network"]["proxies_cidr"] = "10.250.0.0/23"
    values["gke-cluster:cluster"]["secret_sync"] = True
    values["gke-cluster:node_pools"][0]["max_nodes"] = 4
    values["gke-cluster:node_pools"].append(
        {"name": "gpu", "machine_type": "g2-standard-8", "accelerator": GPU, "max_nodes": 5}
    )
    # The pickers ask the API server, and KEDA looks for what it scales; an environment that has
    # them waives this.
    of_keda = ("roles-name-what-they-grant", "roles-do-not-read-all-secrets") if wakes else ()
    waived = ("pods-mount-no-token-without-need", *of_keda)
    values["gke-policies:levels"] = dict.fromkeys(waived, "advisory")
    bucket = f"gs://{PROJECT}-models"
    canary = {"weights": {"stable": 50, "canary": 50}, "source": f"{bucket}/code-next"}
    listed = [{"name": one, "source": f"{bucket}/{one}"} for one in adapters]
    woken = WAKES if wakes else {}
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
                "timeout_seconds": 20,
            },
            **more,
        }
        for name, failure, replicas, more in (
            (TALK, "open", 2, {"adapters": listed, "lora": {"max_loras": 1}}),
            (CODE, "close", 1, {"canary": {**canary, "replicas": {"min": 1, "max": 1}}, **woken}),
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
    ask = _rehearsed(other_workspace, wakes=False)
    with ask.client:
        for model in (TALK, CODE):
            eventually(partial(_answers, ask, model), patience=COLD_SECONDS)
        _check_keys(ask)
        _check_tokens(ask)
        _check_audit_log(ask)


@pytest.mark.skipif(not os.environ.get("PLATFORM_POOLS"), reason="PLATFORM_POOLS is not set")
def test_pods_of_a_pool_are_chosen_replaced_and_started(other_workspace: Workspace) -> None:
    """It takes minutes, since KEDA and Prometheus look at intervals as in a real cluster."""
    ask = _rehearsed(other_workspace, wakes=True)
    with ask.client:
        eventually(partial(_answers, ask, TALK), patience=COLD_SECONDS)
        eventually(partial(_is_asked_for, ask), patience=COLD_SECONDS)
        eventually(partial(_answers, ask, CODE), patience=COLD_SECONDS)
        _check_adapters(ask)
        _check_a_new_pod(ask)
        _check_streams(ask)
        _check_no_pods(ask)


def _rehearsed(workspace: Workspace, *, wakes: bool) -> Asking:
    file = workspace.root / "stacks" / "Pulumi.tiny.yaml"
    file.write_text(yaml.safe_dump(environment(ADAPTER, OTHER, wakes=wakes)))
    callers.make_keys(workspace, PROJECT)
    return Asking(workspace, workspace.rehearse("tiny"), TALK)


def _is_asked_for(ask: Asking) -> bool:
    """Whether KEDA has learnt of the requests, until when it takes away the first pod."""
    _chat(ask, "web", CODE)
    found = ask.workspace.kubernetes_of(ask.environment, "scaledobject", CODE, "-n", "models")
    conditions = {one["type"]: one["status"] for one in found["status"].get("conditions", ())}
    return conditions.get("Active") == "True"


def _answers(ask: Asking, model: str) -> bool:
    """Whether all its versions do."""
    return {_chat(ask, "web", model).status_code for _ in range(8)} == {200}


def _chat(ask: Asking, key: str | None, model: str, prompt: str = "a b c", **more: Any) -> Any:
    messages = [{"role": "user", "content": prompt}]
    return ask(key, {"model": model, "messages": messages, "max_tokens": 12, **more})


def _check_keys(ask: Asking) -> None:
    """Who may ask for which model. One of them fails closed, and answers by its picker alone."""
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


def _check_tokens(ask: Asking) -> None:
    """The tokens of streams through picker and gateway count, as those of other answers do."""

    def streamed() -> Any:
        answer = _chat(ask, "batch", TALK, stream=True)
        assert answer.status_code in (200, 429), answer.text
        if answer.status_code == 200:
            assert "[DONE]" in answer.text
        return answer

    refused = eventually(lambda: one if (one := streamed()).status_code == 429 else None)
    assert refused.json()["error"]["code"] == "rate_limit_exceeded"
    assert refused.headers["x-ratelimit-limit"].startswith(f"{callers.TOKENS}, ")
    assert refused.headers["x-ratelimit-remaining"] == "0"
    assert 0 <= int(refused.headers["retry-after"]) <= 60


def _check_audit_log(ask: Asking) -> None:
    body = {"model": ADAPTER, "messages": [{"role": "user", "content": "a"}], "stream": True}
    assert ask("next", body, **{"x-request-id": "pooled"}).status_code == 200
    (line,) = eventually(lambda: [one for one in ask.audited() if one["request_id"] == "pooled"])
    told = {key: line[key] for key in ("caller", "model", "path", "status")}
    assert told == {"caller": "web", "model": ADAPTER, "path": CHAT, "status": 200}
    assert line["total_tokens"] == line["prompt_tokens"] + line["completion_tokens"] > 0


def _servers(ask: Asking, name: str = TALK) -> list[Json]:
    """The pods of a model that are there to stay."""
    chosen = ("-n", "models", "-l", f"app.kubernetes.io/name={name}")
    found: list[Json] = ask.workspace.kubernetes_of(ask.environment, "pods", *chosen)["items"]
    return [one for one in found if "deletionTimestamp" not in one["metadata"]]


def _ready(ask: Asking, name: str = TALK) -> set[str]:
    return {
        one["metadata"]["name"]
        for one in _servers(ask, name)
        for condition in one["status"].get("conditions") or ()
        if (condition["type"], condition["status"]) == ("Ready", "True")
    }


def _kubectl(ask: Asking, *words: str) -> str:
    context = ask.workspace.context_of(ask.environment)
    return ask.workspace.kubectl("--context", context, "-n", "models", *words)


def _annotate(ask: Asking, pace: str) -> None:
    _kubectl(ask, "annotate", "pods", "-l", f"app.kubernetes.io/name={TALK}", "--overwrite", pace)


def _at_work(ask: Asking, ports: dict[str, int], adapter: str) -> str | None:
    """The pod that has requests for an adapter alone, and has told so for a second.

    The picker asks more often than that.
    """
    for pod, port in ports.items():
        text = ask.client.get(f"http://127.0.0.1:{port}/metrics").text
        steps = {
            names: float(at)
            for names, at in re.findall(
                r'^vllm:lora_requests_info{.*running_lora_adapters="(.*?)".*} (.+)$', text, re.M
            )
        }
        others = [at for names, at in steps.items() if names != adapter]
        if steps.get(adapter, 0) > max(others, default=0) + 1:
            return pod
    return None


def _check_adapters(ask: Asking) -> None:
    """Requests for an adapter go to the server that runs it: each has room for one."""
    _annotate(ask, f"{PACE}={1000 * HELD_SECONDS}")
    plan = DialPlan.read(Home(ask.workspace.home).dial_plan)
    ports = {
        one["metadata"]["name"]: plan.port(PROJECT, one["status"]["podIP"], 8000) or 0
        for one in _servers(ask)
    }
    place = {}
    with ThreadPoolExecutor(12) as threads:
        for adapter in (ADAPTER, OTHER):
            threads.submit(_chat, ask, "web", adapter, f"held {adapter}")
            place[adapter] = eventually(partial(_at_work, ask, ports, adapter))
        assert len(set(place.values())) == 2
        asked = [
            (adapter, threads.submit(_chat, ask, "web", adapter, f"{adapter}-{turn} " * 40))
            for turn in range(4)
            for adapter in (ADAPTER, OTHER)
        ]
        chosen = [(adapter, _pod(answer.result())) for adapter, answer in asked]
    assert chosen == [(adapter, place[adapter]) for adapter, _ in chosen]
    _annotate(ask, f"{PACE}-")
    top = json.loads(ask.workspace.platformctl("top", "tiny", "--json").stdout)
    told = {one["name"]: one["adapters"] for one in top["models"]}
    assert told[CODE] is None
    assert [one["name"] for one in told[TALK]["listed"]] == sorted((ADAPTER, OTHER))
    assert told[TALK]["fit"] == 1


def _check_a_new_pod(ask: Asking) -> None:
    """A pod that has had nothing but its sidecar's first requests gets its share."""
    before = _ready(ask)
    _kubectl(ask, "delete", "pod", min(before), "--wait=false")
    new = eventually(lambda: _ready(ask) - before, patience=COLD_SECONDS)
    adapters = iter(range(1000))
    eventually(lambda: _pod(_chat(ask, "web", ADAPTER, f"{next(adapters)} " * 320)) in new)


def _streams_during(ask: Asking, act: Callable[[], None]) -> Result:
    """What became of a caller's streams that were under way while something was done."""
    url = urlsplit(ask.address)
    body = {"model": TALK, "messages": [{"role": "user", "content": "a b c d"}], "stream": True}
    target = Target(
        address=str(url.hostname),
        port=url.port or 0,
        host=HOST,
        path=CHAT,
        method="POST",
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {KEYS['web']}"},
        body=json.dumps(body).encode(),
    )

    async def main() -> Result:
        end = asyncio.Event()
        sent = asyncio.create_task(load.run(target, rate=4, seconds=300, end=end))
        await asyncio.sleep(STREAM_SECONDS)
        try:
            await asyncio.to_thread(act)
        finally:
            end.set()
        return await sent

    return asyncio.run(main())


def _check_streams(ask: Asking) -> None:
    """None is cut by a rollout of the servers, nor by the drain of a server's node."""
    wait = ("rollout", "status", "deployment", TALK, "--timeout=300s")

    def roll_out() -> None:
        _kubectl(ask, "rollout", "restart", "deployment", TALK)
        _kubectl(ask, *wait)

    def drain() -> None:
        node = _servers(ask)[0]["spec"]["nodeName"]
        words = ("--ignore-daemonsets", "--delete-emptydir-data", "--timeout=300s")
        _kubectl(ask, "drain", node, "--pod-selector", f"app.kubernetes.io/name={TALK}", *words)
        _kubectl(ask, *wait)
        _kubectl(ask, "uncordon", node)

    for act in (roll_out, drain):
        # Streams of the pods that end last; those of new pods do not.
        _annotate(ask, f"{PACE}={1000 * STREAM_SECONDS}")
        found = _streams_during(ask, act)
        assert not found.lost, (act.__name__, found.lost)
        assert found.answered > 20
        assert (found.latencies.quantile(0.9) or 0) > STREAM_SECONDS / 2
    _annotate(ask, f"{PACE}-")


def _check_no_pods(ask: Asking) -> None:
    """Pools without pods answer 503; requests start the pods of the one that scales to zero."""
    canary = ("scale", "deployment", f"{CODE}-canary")
    _kubectl(ask, *canary, "--replicas=0")
    _kubectl(ask, "scale", "deployment", CODE, "--replicas=0")
    eventually(lambda: {_chat(ask, "web", CODE).status_code for _ in range(4)} == {503})
    eventually(lambda: _chat(ask, "web", CODE).status_code == 200, patience=COLD_SECONDS)
    assert _ready(ask, CODE)
    _kubectl(ask, *canary, "--replicas=1")
    eventually(partial(_answers, ask, CODE))
