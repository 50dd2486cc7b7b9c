"""A language model for callers with keys, and requests to it as its callers send them. Not a test.

Requests go through the load balancer to the model's gateway. Load balancer, gateway, rate limit
service and its counters are the real programs; the model's server is the sandbox's.
"""

from __future__ import annotations

import base64
import json
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec

from cli import calls
from sandbox.front_ends import Frontend
from sandbox.gcp.services.logging import filters
from tests.rehearsal.language_models import L4, on_l4
from tests.rehearsal.workspace import Workspace

Json = dict[str, Any]
KEYS = {name: f"key-of-{name}-0123456789abcdef" for name in ("web", "next", "batch", "other")}
SECRETS = {"key-web": ("web", "next"), "key-batch": ("batch",), "key-other": ("other",)}
"""The keys that are the versions of each secret."""
MODEL, OTHER = "chat", "draft"
CHAT = "/v1/chat/completions"
TOKENS = 40
PROMPT = "words that no log may have"
RETENTION_DAYS = 400
_PATIENCE = 90.0
"""Seconds: more than the minute of a limit, and than a pod takes to start."""


def add(values: Json, *, host: str) -> None:
    """Put two models with callers, and GPUs for them, into an environment's configuration."""
    values["gke-cluster:cluster"]["secret_sync"] = True
    pool = {"name": "gpu", "machine_type": "g2-standard-8", "accelerator": L4}
    values["gke-cluster:node_pools"].append({**pool, "min_nodes": 1, "max_nodes": 2})
    for name, exposure in (
        (MODEL, {"kind": "http-load-balancer", "hosts": [host], "paths": ["/v1", "/health"]}),
        (OTHER, {"kind": "cluster-ip"}),
    ):
        values["gke-serving:models"].append(on_l4(name, values["gcp:project"], exposure))
    values["gke-serving:callers"] = {
        "failure": "open",
        "audit": {"retention_days": RETENTION_DAYS},
        "allowed": [
            {
                "name": name,
                "models": [model],
                "keys": keys(name),
                **limits,
            }
            for name, model, limits in (
                ("web", MODEL, {"requests_per_minute": 1000}),
                ("batch", MODEL, {"tokens_per_minute": TOKENS}),
                ("other", OTHER, {}),
            )
        ],
    }


def keys(caller: str) -> list[Json]:
    """The keys of a caller, as its entry names them."""
    secret = f"key-{caller}"
    return [
        {"secret_manager": secret, "version": number}
        for number, _ in enumerate(SECRETS[secret], start=1)
    ]


def make_keys(workspace: Workspace, project: str) -> None:
    """Create the secrets, which exist before an environment is deployed."""
    workspace.platformctl("sandbox", "start")
    services = f"projects/{project}/services"
    workspace.google("service_usage", f"{services}/secretmanager.googleapis.com:enable", "POST")
    for secret, names in SECRETS.items():
        body: Json = {"replication": {"automatic": {}}}
        path = f"projects/{project}/secrets"
        workspace.google("secret_manager", f"{path}?secretId={secret}", "POST", json=body)
        for name in names:
            data = base64.b64encode(KEYS[name].encode()).decode()
            added = {"payload": {"data": data}}
            workspace.google("secret_manager", f"{path}/{secret}:addVersion", "POST", json=added)
    workspace.forget()  # the variables name the cluster only once there is one


class Asking:
    """Requests to the model of a rehearsed environment."""

    def __init__(self, workspace: Workspace, run: Mapping[str, Any], model: str = MODEL) -> None:
        """`run` is the JSON document of the rehearsal."""
        self.workspace = workspace
        self.model = model
        self.environment = str(run["environment"])
        (url,) = (one["url"] for one in run["models"] if one["name"] == model)
        parts = urlsplit(url)
        found = msgspec.convert(run["requests"]["frontends"], list[Frontend])
        frontend = calls.frontend_of(url, found)
        assert frontend is not None, url
        self._at = self.address = f"{parts.scheme}://127.0.0.1:{frontend.listens}"
        self._host = str(parts.hostname)
        trust = ssl.create_default_context(cafile=run["requests"]["cacert"])
        self.client = httpx.Client(verify=trust, trust_env=False, timeout=60)

    def __call__(self, key: str | None = None, body: Json | None = None, **more: str) -> Any:
        """The answer to a chat, or without a body to a question for the models."""
        headers = {"host": self._host, **more}
        if key is not None:
            headers["authorization"] = f"Bearer {KEYS.get(key, key)}"
        return self.client.request(
            "POST" if body else "GET",
            self._at + (CHAT if body else "/v1/models"),
            headers=headers,
            json=body,
            extensions={"sni_hostname": self._host},
        )

    def chat(self, key: str, *, stream: bool = False, request: str = "") -> Any:
        """The answer to a prompt."""
        body = {"model": MODEL, "messages": [{"role": "user", "content": PROMPT}]}
        named = {"x-request-id": request} if request else {}
        return self(key, {**body, "stream": stream, "max_tokens": 12}, **named)

    def audited(self) -> list[Json]:
        """The lines of the audit log of the model's gateway."""
        logs = self.workspace.home.rglob(f"callers-*-{self.model}-callers-*.log")
        lines = (line for log in logs for line in log.read_text().splitlines())
        return [json.loads(line) for line in lines if line.startswith('{"')]


def eventually(
    found: Callable[[], Any],
    *,
    patience: float = _PATIENCE,
    pause: float = 0.1,
    told: Callable[[], str] = str,
) -> Any:
    """The first result that is true; `told` says why it may not come."""
    deadline = time.monotonic() + patience
    while not (result := found()):
        assert time.monotonic() < deadline, f"it does not come: {told()}"
        time.sleep(pause)
    return result


def check(workspace: Workspace, run: Mapping[str, Any]) -> None:
    """Ask as callers do, also while nobody counts, and look at what the audit log has."""
    ask = Asking(workspace, run)
    with ask.client:
        eventually(lambda: ask("web").status_code == 200)
        _check_keys(ask)
        _check_tokens(ask)
        _check_audit_log(ask)
        _check_place(ask)
        _check_failure(ask)


def _check_keys(ask: Asking) -> None:
    for key, status, code in (
        (None, 401, "invalid_api_key"),
        ("nobody-0123456789", 401, "invalid_api_key"),
        ("other", 403, "model_not_allowed"),
    ):
        answer = ask(key)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    # While callers change from one key to the next, both are valid, and limits count them as one.
    for key in ("web", "next"):
        answer = ask.chat(key)
        assert answer.status_code == 200, answer.text
        assert answer.headers["x-ratelimit-limit"].startswith("1000, 1000;w=60")


def _check_tokens(ask: Asking) -> None:
    """The tokens of streams count, and the answer that passes the limit completes."""
    first = ask.chat("batch", stream=True)
    assert first.status_code == 200
    assert "[DONE]" in first.text
    refused = eventually(lambda: _refused(ask.chat("batch", stream=True)))
    assert refused.json()["error"]["code"] == "rate_limit_exceeded"
    assert refused.headers["x-ratelimit-limit"].startswith(f"{TOKENS}, {TOKENS};w=60")
    assert refused.headers["x-ratelimit-remaining"] == "0"
    assert 0 <= int(refused.headers["retry-after"]) <= 60


def _refused(answer: Any) -> Any:
    assert answer.status_code in (200, 429), answer.text
    return answer if answer.status_code == 429 else None


def _check_audit_log(ask: Asking) -> None:
    ask.chat("web", stream=True, request="told")
    (line,) = eventually(lambda: [one for one in ask.audited() if one["request_id"] == "told"])
    told = {key: line[key] for key in ("audit", "caller", "model", "path", "status")}
    assert told == {
        "audit": "callers", "caller": "web", "model": MODEL, "path": CHAT, "status": 200,
    }  # fmt: skip
    assert line["total_tokens"] == line["prompt_tokens"] + line["completion_tokens"] > 0
    text = json.dumps(ask.audited())
    assert PROMPT not in text
    assert not [key for key in KEYS.values() if key in text]


def log_bucket(workspace: Workspace, environment: str) -> Json:
    """The log bucket of an environment's callers, which stays when they are taken away."""
    place = f"projects/acme-ml-{environment}/locations/europe-west4"
    found = workspace.google("logging", f"{place}/buckets/acme-ml-{environment}-callers")
    # Taking it over states its retention and description again.
    return {key: value for key, value in found.items() if key != "updateTime"}


def _check_place(ask: Asking) -> None:
    """Cloud Logging would keep a line once, in the bucket that is declared."""
    project = f"projects/acme-ml-{ask.environment}"
    name = f"acme-ml-{ask.environment}-callers"
    sink = ask.workspace.google("logging", f"{project}/sinks/{name}")
    bucket = log_bucket(ask.workspace, ask.environment)
    assert sink["destination"].partition("/")[2] == bucket["name"]
    assert (bucket["retentionDays"], bucket["lifecycleState"]) == (RETENTION_DAYS, "ACTIVE")
    (excluded,) = ask.workspace.google("logging", f"{project}/sinks/_Default")["exclusions"]
    (pod, *_) = ask.workspace.kubernetes_of(
        ask.environment, "pods", "-A", "-l", f"app.kubernetes.io/name={MODEL}-callers"
    )["items"]
    labels = {
        "cluster_name": f"acme-ml-{ask.environment}-cluster",
        "location": "europe-west4",
        "namespace_name": pod["metadata"]["namespace"],
        "container_name": pod["spec"]["containers"][0]["name"],
    }
    entry = {"resource": {"type": "k8s_container", "labels": labels}}
    for text in (sink["filter"], excluded["filter"]):
        selects = filters.parse(text)
        assert all(selects({**entry, "jsonPayload": line}) for line in ask.audited())
        assert not selects({**entry, "jsonPayload": {"message": "something else"}})


def _check_failure(ask: Asking) -> None:
    """While nobody counts, who has a key passes without limits, and nobody else."""
    eventually(lambda: _refused(ask.chat("batch")))
    with _nobody_counts(ask):
        eventually(lambda: not _counting(ask))
        # Each of a gateway's replicas notices by itself that its connection has ended.
        eventually(lambda: not any(_refused(ask.chat("batch")) for _ in range(8)))
        assert "x-ratelimit-limit" not in ask.chat("web").headers
        assert ask().status_code == 401
        assert ask("other").status_code == 403
    eventually(lambda: "x-ratelimit-limit" in ask.chat("web").headers)


def _counting(ask: Asking) -> list[Any]:
    """The pods that count requests, those that are ending among them."""
    chosen = ("-n", "models", "-l", "app.kubernetes.io/name=caller-limits")
    return list(ask.workspace.kubernetes_of(ask.environment, "pods", *chosen)["items"])


@contextmanager
def _nobody_counts(ask: Asking) -> Iterator[None]:
    context = ask.workspace.context_of(ask.environment)

    def scale(replicas: int) -> None:
        ask.workspace.kubectl(
            "--context", context, "-n", "models", "scale", "deployment", "caller-limits",
            f"--replicas={replicas}",
        )  # fmt: skip

    scale(0)
    try:
        yield
    finally:
        scale(1)
