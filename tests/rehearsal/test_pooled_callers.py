"""Language models for callers with keys behind the Inference Gateway.

The tests share an environment, and run in the order of this file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from typing import Any

import pytest

from sandbox.home import Home
from sandbox.traffic.dial_plan import DialPlan
from tests.rehearsal import callers
from tests.rehearsal.callers import CHAT, KEYS, eventually
from tests.rehearsal.loads import streams, streams_during
from tests.rehearsal.pooled import ADAPTER, CODE, HOST, NAME, OTHER, PROJECT, TALK, Pooled
from tests.rehearsal.workspace import workspace_in

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("pooled")]

COLD_SECONDS = 600
"""How long KEDA may take to start, and a model without pods to answer, on a busy machine. On a
quiet one it is a minute: a picker's metrics are collected each 15 s, KEDA asks as often, and a pod
is ready when it has been asked three times, 10 s apart."""
HELD_SECONDS, STREAM_SECONDS = 15, 2
"""How long an answer takes while others are chosen, and while streams are under way."""


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pooled]:
    """The environment, once the model with adapters answers; nobody has asked for the other."""
    workspace = workspace_in(tmp_path_factory.mktemp("pooled"))
    try:
        found = Pooled(workspace)
        with found.client:
            eventually(lambda: found.statuses(TALK, 8) == {200}, patience=COLD_SECONDS)
            yield found
    finally:
        workspace.platformctl("sandbox", "reset", check=False)


def _at_work(ask: Pooled, ports: dict[str, int], adapter: str) -> str | None:
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


def test_requests_for_an_adapter_go_to_the_server_that_runs_it(ask: Pooled) -> None:
    """Each server has room for one."""
    ask.pace(TALK, HELD_SECONDS)
    plan = DialPlan.read(Home(ask.workspace.home).dial_plan)
    ports = {
        one["metadata"]["name"]: plan.port(PROJECT, one["status"]["podIP"], 8000) or 0
        for one in ask.servers(TALK)
    }
    place = {}
    with ThreadPoolExecutor(12) as threads:
        for adapter in (ADAPTER, OTHER):
            threads.submit(ask.ask, "web", adapter, f"held {adapter}")
            place[adapter] = eventually(partial(_at_work, ask, ports, adapter))
        assert len(set(place.values())) == 2
        asked = [
            (adapter, threads.submit(ask.served_by, adapter, f"{adapter}-{turn} " * 40))
            for turn in range(4)
            for adapter in (ADAPTER, OTHER)
        ]
        chosen = [(adapter, pod.result()) for adapter, pod in asked]
    assert chosen == [(adapter, place[adapter]) for adapter, _ in chosen]
    ask.pace(TALK, None)
    top = json.loads(ask.workspace.platformctl("top", NAME, "--json").stdout)
    told = {one["name"]: one["adapters"] for one in top["models"]}
    assert told[CODE] is None
    assert [one["name"] for one in told[TALK]["listed"]] == sorted((ADAPTER, OTHER))
    assert told[TALK]["fit"] == 1


def test_pools_without_pods_answer_503_and_requests_start_them(ask: Pooled) -> None:
    """KEDA takes away the first pod, which nobody has asked, and learns of requests by the picker.

    The canary has a pod always, and nothing starts it: its gateway is unhealthy without, and gets
    no requests. The other stays healthy, since its picker has to hear of them.
    """
    wait = partial(eventually, patience=COLD_SECONDS, pause=1, told=ask.told_by_keda)
    wait(lambda: not ask.servers(CODE))
    ask.kubectl("scale", "deployment", f"{CODE}-canary", "--replicas=0")
    wait(lambda: ask.health(f"{CODE}-ca") == {"UNHEALTHY"})
    assert ask.health(f"{CODE}-80") == {"HEALTHY"}
    wait(lambda: ask.statuses(CODE, 4) == {503})
    wait(lambda: ask.statuses(CODE, 4) and ask.servers(CODE))
    ask.kubectl("scale", "deployment", f"{CODE}-canary", "--replicas=1")
    wait(lambda: ask.statuses(CODE, 8) == {200})
    assert ask.ready(CODE)


def test_keys_say_who_may_ask_for_which_model(ask: Pooled) -> None:
    """One of the models fails closed, and answers by its picker alone."""
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
        answer = ask.ask(key, model)
        assert answer.status_code == status, (key, model, answer.text)
        if status == 200:
            assert answer.json()["model"] == model
            assert ("x-ratelimit-limit" in answer.headers) == (key != "other")
    versions = {ask.served_by(CODE).startswith(f"{CODE}-canary-") for _ in range(30)}
    assert versions == {True, False}


def test_tokens_of_streams_count(ask: Pooled) -> None:
    """Through picker and gateway, as those of other answers do."""

    def streamed() -> Any:
        answer = ask.ask("batch", TALK, stream=True)
        assert answer.status_code in (200, 429), answer.text
        if answer.status_code == 200:
            assert "[DONE]" in answer.text
        return answer

    refused = eventually(lambda: one if (one := streamed()).status_code == 429 else None)
    assert refused.json()["error"]["code"] == "rate_limit_exceeded"
    assert refused.headers["x-ratelimit-limit"].startswith(f"{callers.TOKENS}, ")
    assert refused.headers["x-ratelimit-remaining"] == "0"
    assert 0 <= int(refused.headers["retry-after"]) <= 60


def test_the_audit_log_tells_who_asked_for_an_adapter(ask: Pooled) -> None:
    body = {"model": ADAPTER, "messages": [{"role": "user", "content": "a"}], "stream": True}
    assert ask("next", body, **{"x-request-id": "pooled"}).status_code == 200
    (line,) = eventually(lambda: [one for one in ask.audited() if one["request_id"] == "pooled"])
    told = {key: line[key] for key in ("caller", "model", "path", "status")}
    assert told == {"caller": "web", "model": ADAPTER, "path": CHAT, "status": 200}
    assert line["total_tokens"] == line["prompt_tokens"] + line["completion_tokens"] > 0


def _check_streams(ask: Pooled, act: Callable[[], None]) -> None:
    """None is cut while something is done."""
    # Streams of the pods that end last; those of new pods do not.
    ask.pace(TALK, STREAM_SECONDS)
    body = {"model": TALK, "messages": [{"role": "user", "content": "a b c d"}]}
    target = streams(ask.address + CHAT, HOST, body, Authorization=f"Bearer {KEYS['web']}")
    found = streams_during(target, act, rate=4)
    ask.pace(TALK, None)
    assert not found.lost, found.lost
    assert found.answered > 20
    assert (found.latencies.quantile(0.9) or 0) > STREAM_SECONDS / 2  # they were streams


def _wait_for_pods(ask: Pooled) -> None:
    ask.kubectl("rollout", "status", "deployment", TALK, "--timeout=280s")


def test_streams_survive_a_rollout(ask: Pooled) -> None:
    def roll_out() -> None:
        ask.kubectl("rollout", "restart", "deployment", TALK)
        _wait_for_pods(ask)

    _check_streams(ask, roll_out)


def test_streams_survive_a_drain_and_the_new_pod_gets_its_share(ask: Pooled) -> None:
    """It has had nothing but its sidecar's first requests."""
    before = ask.ready(TALK)

    def drain() -> None:
        node = next(one["spec"]["nodeName"] for one in ask.servers(TALK))
        words = ("--ignore-daemonsets", "--delete-emptydir-data", "--timeout=280s")
        ask.kubectl("drain", node, "--pod-selector", f"app.kubernetes.io/name={TALK}", *words)
        _wait_for_pods(ask)
        ask.kubectl("uncordon", node)

    _check_streams(ask, drain)
    new = ask.ready(TALK) - before
    assert len(new) == 1
    prompts = count()
    eventually(lambda: ask.served_by(ADAPTER, f"{next(prompts)} " * 320) in new)
