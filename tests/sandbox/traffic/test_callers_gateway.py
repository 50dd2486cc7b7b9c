"""A model's gateway for callers: the real Envoy, rate limit service and Valkey, and our program."""

from __future__ import annotations

import contextlib
import http.server
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.serving import pod_programs
from infra.serving.callers import envoy, limits
from infra.serving.callers.settings import Caller, CallerKey, CallersArgs
from sandbox import engine
from sandbox.kubernetes.ports import free_port
from sandbox.traffic.load_balancer.configuration import ARGUMENTS
from sandbox.traffic.runtime import valkey
from sandbox.traffic.runtime.processes import envoy_binary

pytestmark = pytest.mark.slow
USAGE = {"prompt_tokens": 7, "completion_tokens": 13, "total_tokens": 20}
CHAT = "/v1/chat/completions"
PROGRAM = Path(pod_programs.__file__).parent / pod_programs.KEYS
Json = dict[str, Any]


def secret(name: str) -> CallerKey:
    return CallerKey(secret_manager=name, version=1)


CALLERS = CallersArgs(
    failure="close",
    allowed=(
        Caller(name="web", models=("chat",), keys=(secret("web"),), requests_per_minute=3),
        Caller(name="batch", models=("chat",), keys=(secret("batch"),), tokens_per_minute=30),
        Caller(name="stranger", models=("other",), keys=(secret("stranger"),)),
        Caller(name="turning", models=("chat",), keys=(secret("old"), secret("new"))),
    ),
)


class _Model(http.server.BaseHTTPRequestHandler):
    """Answers as a language model, and says which headers it got."""

    protocol_version = "HTTP/1.1"
    first = threading.Event()
    """The caller has the first part of a stream."""

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        """Answer with the headers."""
        told = {**self.headers, "x-answered-at": str(self.connection.getsockname()[1])}
        self._send("application/json", [json.dumps(told).encode()])

    def do_POST(self) -> None:
        """Answer with usage, as a stream if that is asked."""
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if not asked.get("stream"):
            self._send("application/json", [json.dumps({"usage": USAGE}).encode()])
            return
        parts: list[Json] = [{"choices": ["a"], "usage": None}, {"choices": [], "usage": USAGE}]
        lines = [f"data: {json.dumps(one)}\n\n".encode() for one in parts]
        self._send("text/event-stream", [*lines, b"data: [DONE]\n\n"], waits=True)

    def _send(self, kind: str, parts: list[bytes], *, waits: bool = False) -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for place, part in enumerate(parts):
            if waits and place == 1:
                self.first.wait(10)
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")


@dataclass
class Gateway:
    """The running gateway."""

    client: httpx.Client
    folder: Path
    counting: subprocess.Popen[bytes]

    def ask(self, key: str | None = None, body: Json | None = None, path: str = "") -> Any:
        headers = {"Authorization": f"Bearer {key_of(key)}"} if key else {}
        if body is None:
            return self.client.get(path or "/v1/models", headers=headers)
        return self.client.post(path or CHAT, headers=headers, json=body)

    def audited(self, request: str) -> Json:
        """The line of the audit log of a request."""

        def found() -> Json | None:
            lines = (self.folder / "audit.log").read_text().splitlines()
            return next((j for j in map(json.loads, lines) if j["request_id"] == request), None)

        line: Json = until(found)
        return line


def key_of(name: str) -> str:
    return f"key-of-{name}-0123456789"


def until(found: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if result := found():
            return result
        time.sleep(0.05)
    raise AssertionError("it does not come")


class Running:
    """Processes with a folder of their own, and the model that they lead to."""

    def __init__(self, folder: Path, model: int) -> None:
        self.folder = folder
        self.model = model
        """The port of its server."""
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, log: str, *words: str | Path, **variables: str) -> subprocess.Popen[bytes]:
        out_file, errors_file = self.folder / log, self.folder / f"{log}.errors"
        with out_file.open("wb") as out, errors_file.open("wb") as errors:
            found = subprocess.Popen(words, stdout=out, stderr=errors, env=variables)
        self.processes.append(found)
        return found


@contextlib.contextmanager
def running() -> Iterator[Running]:
    # Its socket's path may have a hundred characters.
    folder = Path(tempfile.mkdtemp(prefix="callers-"))
    model = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Model)
    threading.Thread(target=model.serve_forever, daemon=True).start()
    _Model.first.set()
    found = Running(folder, model.server_address[1])
    try:
        yield found
    finally:
        for one in found.processes:
            one.kill()
            one.wait()
        model.shutdown()
        model.server_close()
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    """The gateway of a model, whose callers pass only while somebody counts."""
    counters = valkey.valkey_binary()
    if counters is None:
        pytest.skip("Valkey has no binary for this platform")
    with running() as here:
        service, counting = _counting(here, counters)
        client = _envoy(here, counting=counting, fails_open=False)
        with contextlib.closing(client):
            yield Gateway(client, here.folder, service)


@pytest.fixture
def uncounted() -> Iterator[httpx.Client]:
    """The gateway of a model whose callers pass also while nobody counts, and nobody does."""
    with running() as here:
        client = _envoy(here, counting=free_port(), fails_open=True)
        with contextlib.closing(client):
            yield client


def _counting(here: Running, counters: Path) -> tuple[subprocess.Popen[bytes], int]:
    """The rate limit service, and its port."""
    folder, port = here.folder, free_port()
    (folder / "limits/callers/config").mkdir(parents=True)
    (folder / "limits/callers/config/limits.yaml").write_text(
        json.dumps(limits.configuration(CALLERS.allowed))
    )
    here.start("valkey.log", counters, *valkey.ARGUMENTS, "--unixsocket", folder / "socket")
    until((folder / "socket").exists)
    service = here.start(
        "limits.log",
        engine.rate_limit() / "ratelimit",
        **limits.environment(socket=str(folder / "socket"), root=str(folder / "limits")),
        HOST="127.0.0.1",
        GRPC_HOST="127.0.0.1",
        DEBUG_HOST="127.0.0.1",
        PORT=str(free_port()),
        GRPC_PORT=str(port),
        DEBUG_PORT=str(free_port()),
    )
    return service, port


def _envoy(
    here: Running,
    *,
    counting: int,
    fails_open: bool,
    picker: envoy.Picker | None = None,
    changed: Callable[[Json], None] = lambda _: None,
) -> httpx.Client:
    """Envoy and the program that gives it the keys, once a key is known."""
    binary = envoy_binary()
    if binary is None:
        pytest.skip("Envoy has no binary for this platform")
    folder, port = here.folder, free_port()
    for name in ("settings", "keys"):
        (folder / name).mkdir()
    routes = envoy.routes(
        allowed=CALLERS.of("chat"),
        ready_path="/health",
        timeout_seconds=30,
        asks_picker=picker is not None,
    )
    (folder / "settings/routes.json").write_text(json.dumps(routes))
    (folder / "settings/callers.json").write_text(json.dumps(envoy.listed(CALLERS)))
    for key in CALLERS.keys:
        (folder / "keys" / key.file).write_text(f"{key_of(key.secret_manager)}\n")
    target = folder / "routes.json"
    words = (f"--settings={folder / 'settings'}", f"--keys={folder / 'keys'}", f"--target={target}")
    here.start("keys.log", sys.executable, PROGRAM, *words)
    until(target.exists)
    bootstrap = envoy.bootstrap(
        port=port,
        server="127.0.0.1",
        limits="127.0.0.1",
        limits_port=counting,
        routes=str(target),
        fails_open=fails_open,
        ready_path="/health",
        health_port=free_port(),
        drain_seconds=1,
        picker=picker,
    )
    # A pod has an address of its own; here the ports differ.
    bootstrap["admin"]["address"]["socket_address"]["port_value"] = free_port()
    server = bootstrap["static_resources"]["clusters"][0]["load_assignment"]["endpoints"][0]
    server["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]["port_value"] = here.model
    changed(bootstrap)
    (folder / "envoy.json").write_text(json.dumps(bootstrap))
    configured = ("-c", folder / "envoy.json", *ARGUMENTS, "--log-level", "warning")
    here.start("audit.log", binary, *configured)
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False)

    def is_up() -> bool:
        try:
            # One without limits: 503 until somebody counts, if nobody else passes.
            path = "/v1/models" if picker is None else "/health"
            answers = client.get(path, headers={"x-api-key": key_of("old")})
        except httpx.TransportError:
            return False
        return answers.status_code == 200

    try:
        until(is_up)
    except BaseException:
        client.close()
        raise
    return client


def test_a_key_is_needed(gateway: Gateway) -> None:
    missing, wrong = gateway.ask(), gateway.ask("nobody")
    assert (missing.status_code, wrong.status_code) == (401, 401)
    assert missing.json()["error"]["code"] == "invalid_api_key"
    assert gateway.ask(path="/health").status_code == 200


def test_other_models_are_refused(gateway: Gateway) -> None:
    answer = gateway.ask("stranger")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "model_not_allowed")


def test_the_model_learns_the_caller_and_not_the_key(gateway: Gateway) -> None:
    headers = {"x-api-key": key_of("new"), "x-caller": "somebody-else"}
    seen = {k.lower(): v for k, v in gateway.client.get("/any", headers=headers).json().items()}
    assert seen["x-caller"] == "turning"
    assert key_of("new") not in json.dumps(seen)


def test_requests_beyond_the_limit_get_429(gateway: Gateway) -> None:
    # A minute may end in between; the next one has room for three again.
    answers = [gateway.ask("web", {"model": "chat"}) for _ in range(8)]
    refused = [one for one in answers if one.status_code == 429]
    assert answers[0].status_code == 200
    assert refused
    assert answers[0].headers["x-ratelimit-limit"].startswith("3, 3;w=60")
    last = refused[0]
    assert last.headers["x-ratelimit-remaining"] == "0"
    assert 0 <= int(last.headers["retry-after"]) <= 60
    assert last.json()["error"]["code"] == "rate_limit_exceeded"


def test_tokens_of_a_stream_count(gateway: Gateway) -> None:
    """Two answers of 20 tokens pass a limit of 30, and the next request is refused.

    A minute may end in between, and begin the count anew.
    """
    streamed = {"model": "chat", "stream": True}
    statuses = [gateway.ask("batch", streamed).status_code for _ in range(2)]

    def is_refused() -> bool:
        statuses.append(gateway.ask("batch", streamed).status_code)
        return 429 in statuses

    until(is_refused)
    assert statuses[:2] == [200, 200]
    assert set(statuses) == {200, 429}


def test_a_stream_is_not_buffered(gateway: Gateway) -> None:
    _Model.first.clear()
    headers = {"x-api-key": key_of("new")}
    asked = gateway.client.stream("POST", CHAT, headers=headers, json={"stream": True})
    with asked as answer:
        parts = answer.iter_bytes()
        assert b'"choices": ["a"]' in next(parts)
        _Model.first.set()
        assert b"[DONE]" in b"".join(parts)


def test_each_request_is_audited(gateway: Gateway) -> None:
    for body in ({"model": "chat"}, {"model": "chat", "stream": True}):
        headers = {"x-api-key": key_of("old"), "x-request-id": f"audit-{len(body)}"}
        gateway.client.post(CHAT, headers=headers, json={**body, "messages": ["a secret"]})
        line = gateway.audited(f"audit-{len(body)}")
        assert {key: line[key] for key in ("audit", "caller", "model", "path", "status")} == {
            "audit": "callers",
            "caller": "turning",
            "model": "chat",
            "path": CHAT,
            "status": 200,
        }
        assert {key: line[key] for key in USAGE} == USAGE
        assert "a secret" not in json.dumps(line)
    refused = {"x-caller": "web", "x-request-id": "audit-refused"}
    gateway.client.get("/v1/models", headers=refused)
    assert gateway.audited("audit-refused")["caller"] is None


def test_a_key_is_changed_without_a_restart(gateway: Gateway) -> None:
    """Both keys are valid; the old one ends when it is taken away."""
    assert gateway.ask("old").status_code == gateway.ask("new").status_code == 200
    (gateway.folder / "keys" / "old.1").unlink()
    until(lambda: gateway.ask("old").status_code == 401)
    assert gateway.ask("new").status_code == 200


def test_who_has_a_key_passes_while_nobody_counts(uncounted: httpx.Client) -> None:
    """Without limits, and nobody else: keys are checked in any case."""

    def asked(**headers: str) -> int:
        return uncounted.get("/v1/models", headers=headers).status_code

    # "web" may send three requests a minute.
    answers = [uncounted.get("/v1/models", headers={"x-api-key": key_of("web")}) for _ in range(6)]
    assert [one.status_code for one in answers] == [200] * 6
    assert not [one for one in answers if "x-ratelimit-limit" in one.headers]
    assert asked() == asked(**{"x-api-key": "somebody-0123456789"}) == 401
    assert asked(**{"x-api-key": key_of("stranger")}) == 403


@pytest.fixture(params=["open", "close"])
def unpicked(request: pytest.FixtureRequest) -> Iterator[tuple[str, httpx.Client]]:
    """The gateway of a model whose endpoint picker does not run, and what happens then."""
    with running() as here:
        picker = envoy.Picker(
            host="127.0.0.1", port=free_port(), fails_open=request.param == "open"
        )

        def without_pickers(bootstrap: Json) -> None:
            # The name of a headless Service without a ready pod has no address.
            _cluster(bootstrap, "picker")["load_assignment"]["endpoints"] = []

        client = _envoy(
            here, counting=free_port(), fails_open=True, picker=picker, changed=without_pickers
        )
        with contextlib.closing(client):
            yield request.param, client


def _cluster(bootstrap: Json, name: str) -> Json:
    clusters = bootstrap["static_resources"]["clusters"]
    found: Json = next(one for one in clusters if one["name"] == name)
    return found


def test_without_a_picker_requests_do_what_its_failure_says(
    unpicked: tuple[str, httpx.Client],
) -> None:
    failure, client = unpicked
    known = {"x-api-key": key_of("old")}
    asked = {"model": "chat", "stream": True}
    statuses = {client.post(CHAT, headers=known, json=asked).status_code for _ in range(5)}
    assert statuses == ({200} if failure == "open" else {503})
    # Keys are checked in any case, and health checks ask no picker.
    assert client.post(CHAT, json=asked).status_code == 401
    assert client.get("/health").status_code == 200


def test_the_pod_that_a_picker_names_gets_the_request() -> None:
    """The name is in metadata, which no caller can set; here a header stands for the picker."""
    key = "x-gateway-destination-endpoint"
    rule = {"metadata_namespace": "envoy.lb", "key": key, "type": "STRING"}
    kind = "type.googleapis.com/envoy.extensions.filters.http.header_to_metadata.v3.Config"
    named = {
        "name": "envoy.filters.http.header_to_metadata",
        "typed_config": {
            "@type": kind,
            "request_rules": [{"header": "x-picked", "on_header_present": rule}],
        },
    }
    with running() as one, running() as other:

        def two_pods(bootstrap: Json) -> None:
            (chain,) = bootstrap["static_resources"]["listeners"][0]["filter_chains"]
            filters = chain["filters"][0]["typed_config"]["http_filters"]
            (place,) = (i for i, f in enumerate(filters) if f["name"].endswith(".ext_proc"))
            filters[place] = named
            pods = _cluster(bootstrap, "server")["load_assignment"]["endpoints"][0]["lb_endpoints"]
            again = json.loads(json.dumps(pods[0]))
            again["endpoint"]["address"]["socket_address"]["port_value"] = other.model
            pods.append(again)

        picker = envoy.Picker(host="127.0.0.1", port=free_port(), fails_open=False)
        client = _envoy(one, counting=free_port(), fails_open=True, picker=picker, changed=two_pods)
        with contextlib.closing(client):

            def answered(**headers: str) -> str:
                known = {"x-api-key": key_of("old"), **headers}
                return str(client.get("/any", headers=known).json()["x-answered-at"])

            for port in (one.model, other.model):
                assert {answered(**{"x-picked": f"127.0.0.1:{port}"}) for _ in range(6)} == {
                    str(port)
                }
            both = {str(one.model), str(other.model)}
            gone = f"127.0.0.1:{free_port()}"
            for headers in ({}, {"x-picked": gone}, {key: f"127.0.0.1:{one.model}"}):
                assert {answered(**headers) for _ in range(20)} == both


def test_nobody_passes_while_nobody_counts(gateway: Gateway) -> None:
    gateway.counting.kill()
    gateway.counting.wait()
    assert until(lambda: gateway.ask("new").status_code == 503)
