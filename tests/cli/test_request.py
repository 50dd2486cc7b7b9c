"""Requests to models: the call of each protocol, where it is sent, and what is made of answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import msgspec
import pytest

from cli.errors import CliError
from cli.headers import parsed
from cli.traffic import asked, grpc_messages, identity
from cli.traffic.addresses import targeted
from cli.traffic.calls import Call, default_call
from cli.traffic.deployed import Deployed
from cli.traffic.exchange import Caller, event_text
from cli.traffic.front_ends import FrontEnds
from cli.traffic.grpc_call import GrpcCaller
from cli.traffic.target import Target
from infra.serving.config import ServingConfig
from infra.serving.models import Workload
from sandbox.traffic.dial_plan import DialPlan, Listener
from tests.unit.entries import BASE, VLLM

LARGE = {"cpu": "2", "memory": "4Gi"}
LOADED = {
    "files": {"via": "download", "size": "5Gi"},
    "resources": {"requests": LARGE, "limits": LARGE},
}
CUSTOM = {
    "server": "custom",
    "image": "a/b:1",
    "files": {"via": "gcs-fuse"},
    "custom": {"rest_port": 9000, "path": "/predictions/{name}", "ready": "/ping"},
}
GRPC = {"kind": "http-load-balancer", "protocol": "grpc"}


def model(entry: dict[str, Any], **changes: Any) -> Workload:
    config = msgspec.convert({"models": [{**entry, **changes}], "ingress": {}}, ServingConfig)
    return config.entries[0]


def balanced(*paths: str, **more: Any) -> dict[str, Any]:
    return {"kind": "http-load-balancer", "paths": list(paths), **more}


@pytest.mark.parametrize(
    ("entry", "changes", "method", "path"),
    [
        (BASE, {}, "POST", "/v1/models/m1:predict"),
        (BASE, {"served_name": "half"}, "POST", "/v1/models/half:predict"),
        (BASE, {"exposure": balanced("/v1/models/m1")}, "POST", "/v1/models/m1:predict"),
        (
            BASE,
            {"exposure": balanced("/a", rewrites={"/a": "/v1/models/m1"})},
            "POST",
            "/a:predict",
        ),
        (
            BASE,
            {"exposure": balanced("/a", rewrites={"/a": "/"})},
            "POST",
            "/a/v1/models/m1:predict",
        ),
        (
            BASE,
            {"exposure": {"kind": "ingress", "path": "/model"}},
            "POST",
            "/model/v1/models/m1:predict",
        ),
        (
            BASE,
            {"exposure": {"kind": "gateway", "path": "/m", "rewrite": "/v1/models"}},
            "POST",
            "/m/m1:predict",
        ),
        (BASE, {"server": "triton", **LOADED}, "POST", "/v2/models/m1/infer"),
        (BASE, {"server": "kserve-v2", **LOADED}, "POST", "/v2/models/m1/infer"),
        (
            BASE,
            {"server": "triton", **LOADED, "exposure": balanced("/v2/health")},
            "GET",
            "/v2/health",
        ),
        (VLLM, {}, "POST", "/v1/chat/completions"),
        (VLLM, {"exposure": balanced("/v1/embeddings")}, "POST", "/v1/embeddings"),
        (VLLM, {"exposure": balanced("/c", rewrites={"/c": "/v1"})}, "POST", "/c/chat/completions"),
        (BASE, CUSTOM, "POST", "/predictions/m1"),
        (
            BASE,
            {**CUSTOM, "custom": {**CUSTOM["custom"], "path": "/status"}},  # type: ignore[dict-item]
            "GET",
            "/status",
        ),
        (
            BASE,
            {"exposure": {**GRPC, "paths": ["/tensorflow.serving.PredictionService"]}},
            "POST",
            "/tensorflow.serving.PredictionService/Predict",
        ),
        (
            BASE,
            {
                "server": "triton",
                **LOADED,
                "exposure": {"kind": "load-balancer", "protocol": "grpc"},
            },
            "POST",
            "/inference.GRPCInferenceService/ModelInfer",
        ),
    ],
)
def test_a_call_is_of_the_server_s_protocol_on_a_path_that_is_exposed(
    entry: dict[str, Any], changes: dict[str, Any], method: str, path: str
) -> None:
    call = default_call(model(entry, **changes))
    assert (call.method, call.path) == (method, path)
    if call.method == "POST" and not call.is_grpc:
        assert json.loads(call.body)


def options(**given: Any) -> asked.Options:
    nothing: dict[str, Any] = dict.fromkeys(asked.Options.__dataclass_fields__)
    return asked.Options(**{**nothing, "real": False, **given})


def test_the_command_line_changes_the_call(tmp_path: Path) -> None:
    body = tmp_path / "body"
    body.write_bytes(b"{}")
    known = model(BASE)
    assert asked.call(known, options(path="/v1/models/m1")).method == "GET"
    assert asked.call(known, options(path="/v1/models/m1")).body == b""
    sent = asked.call(known, options(data=body, path="/x"))
    assert (sent.method, sent.path, sent.body) == ("POST", "/x", b"{}")
    assert asked.call(known, options(method="put")).method == "PUT"
    with pytest.raises(CliError, match="is no path"):
        asked.call(known, options(path="x y"))
    with pytest.raises(CliError, match="is no header"):
        parsed(["a"])
    with pytest.raises(CliError, match="No such file"):
        asked.call(known, options(data=tmp_path / "absent"))


# Where it is sent.

CALL = Call("HTTP", "GET", "/v1/models/m1")


@pytest.fixture
def front_ends(tmp_path: Path) -> FrontEnds:
    def front(kind: str, address: str, port: int, listens: int) -> dict[str, Any]:
        scheme = "https" if port == 443 else "http"
        return {
            "project": "p1",
            "kind": kind,
            "name": "",
            "address": address,
            "port": port,
            "scheme": scheme,
            "listens": listens,
        }

    found = [
        {**front("load-balancer", "127.16.0.3", 443, 7000), "project": "other"},
        front("load-balancer", "127.16.0.3", 443, 7001),
        # The Inference Gateway, which is not the Gateway.
        {**front("load-balancer", "127.16.0.8", 443, 7004), "hosts": ["llm.example"]},
        {**front("load-balancer", "127.16.0.9", 443, 7002), "hosts": ["g.example"]},
        front("service", "127.16.0.2", 80, 7003),
    ]
    (tmp_path / "traffic").mkdir()
    (tmp_path / "traffic" / "frontends.json").write_text(json.dumps(found))
    return FrontEnds(tmp_path, "p1")


@pytest.mark.parametrize(
    ("exposure", "url", "port", "encrypted"),
    [
        (balanced("/v1/models/m1"), "https://m.example/v1/models/m1", 7001, True),
        (
            {"kind": "gateway", "path": "/m", "hosts": ["g.example"]},
            "https://g.example/m",
            7002,
            True,
        ),
        ({"kind": "load-balancer"}, "http://127.16.0.2/v1/models/m1", 7003, False),
    ],
)
def test_a_rehearsed_model_is_reached_on_this_machine(
    front_ends: FrontEnds, exposure: dict[str, Any], url: str, port: int, encrypted: bool
) -> None:
    known = Deployed("127.16.0.3", {"m1": url})
    found = targeted(known, model(BASE, exposure=exposure), CALL, {}, front=front_ends)
    assert (found.address, found.port, found.encrypted) == ("127.0.0.1", port, encrypted)
    assert found.host == url.split("/")[2]
    assert found.cacert == front_ends.cacert


def test_a_real_model_is_reached_at_the_load_balancer_s_address() -> None:
    known = Deployed("203.0.113.7", {"m1": "https://m.example/v1/models/m1"})
    found = targeted(known, model(BASE, exposure=balanced("/v1/models/m1")), CALL, {}, front=None)
    assert (found.address, found.port, found.host) == ("203.0.113.7", 443, "m.example")
    assert found.cacert is None
    gateway = {"kind": "gateway", "path": "/m", "hosts": ["g.example"]}
    known = Deployed("203.0.113.7", {"m1": "https://g.example/m"})
    found = targeted(known, model(BASE, exposure=gateway), CALL, {}, front=None)
    assert found.address == "g.example"


def test_a_rehearsed_model_inside_the_cluster_is_reached_at_one_of_its_pods(
    tmp_path: Path,
) -> None:
    def listener(pod: str, listens: int, **more: Any) -> Listener:
        values = {"project": "p1", "namespace": "models", "port": 8501, "pod": pod, **more}
        place: dict[str, Any] = {"cluster": "c", "node": "n", "zone": "z", "address": "10.64.1.7"}
        return Listener(listens=listens, **place, **values)

    plan = DialPlan(
        [
            listener("m1-canary-7d9f8-x2x4b", 1),
            listener("m1-7d9f8-x2x4b", 2, port=8500),
            listener("m1-7d9f8-x2x4b", 3, project="other"),
            listener("m1-7d9f8-x2x4b", 4),
        ]
    )
    (tmp_path / "traffic").mkdir()
    plan.write(tmp_path / "traffic" / "dial-plan.json")
    known = Deployed("127.16.0.3", {"m1": "http://m1.models.svc:8501/v1/models/m1"})
    found = targeted(known, model(BASE), CALL, {}, front=FrontEnds(tmp_path, "p1"))
    assert (found.address, found.port, found.authority) == ("127.0.0.1", 4, "m1.models.svc:8501")


def test_a_model_without_an_address_is_explained(front_ends: FrontEnds) -> None:
    inside = Deployed("127.16.0.3", {"m1": "http://m1.models.svc:8501/v1/models/m1"})
    with pytest.raises(CliError, match="inside the cluster only") as raised:
        targeted(inside, model(BASE), CALL, {}, front=front_ends)
    assert "kubectl -n models port-forward service/m1 8501" in raised.value.hint
    found = targeted(inside, model(BASE), CALL, {}, front=front_ends, address="127.0.0.1:9")
    assert (found.port, found.authority) == (9, "m1.models.svc:8501")
    pending = Deployed("127.16.0.3", {"m1": "not assigned yet"})
    with pytest.raises(CliError, match="no address yet"):
        targeted(pending, model(BASE), CALL, {}, front=front_ends)
    gone = Deployed("127.16.0.4", {"m1": "https://m.example/"})
    with pytest.raises(CliError, match=r"nothing answers for 127\.16\.0\.4:443"):
        targeted(gone, model(BASE, exposure=balanced("/a", rewrites={"/a": "/"})), CALL, {},
                 front=front_ends)  # fmt: skip


# The caller's identity.


def test_a_token_comes_from_a_file_or_gcloud(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    file.write_text("abc.def\n")
    assert identity.token((), "a.example", real=True, file=file, email=None) == "abc.def"
    file.write_text("two words")
    with pytest.raises(CliError, match="holds no ID token"):
        identity.from_file(file)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CliError, match="`gcloud` is not on the PATH"):
        identity.token((), "a.example", real=True, file=None, email=None)
    gcloud = tmp_path / "gcloud"
    wanted = "auth print-identity-token --audiences=https://a.example"
    gcloud.write_text(f'#!/bin/sh\n[ "$*" = "{wanted}" ] && echo real.token\n')
    gcloud.chmod(0o700)
    assert identity.token((), "a.example", real=True, file=None, email=None) == "real.token"


@pytest.mark.parametrize(
    ("members", "who"),
    [
        (["group:g@a.example", "user:u@a.example"], ("u@a.example", ())),
        (["group:g@a.example"], ("caller@a.example", ("g@a.example",))),
        (["domain:a.example"], ("caller@a.example", ())),
        (["principalSet://iam.googleapis.com/x"], None),
    ],
)
def test_the_sandbox_s_caller_is_one_that_is_admitted(
    members: list[str], who: tuple[str, tuple[str, ...]] | None
) -> None:
    assert identity.caller(members) == who
    if who is None:
        with pytest.raises(CliError, match="Identity-Aware Proxy admits principalSet") as raised:
            identity.token(members, "a.example", real=False, file=None, email=None)
        assert "--as" in raised.value.hint


# The exchange.


class Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        told = {"host": self.headers["Host"], "path": self.path, "body": body.decode()}
        if self.path == "/stream":
            parts = [{"choices": [{"delta": {"content": one}}]} for one in ("Hel", "lo")]
            text = "".join(f"data: {json.dumps(one)}\n\n" for one in parts) + "data: [DONE]\n\n"
            self._send(200, text.encode(), "text/event-stream")
        elif self.path == "/cut":
            self.send_response(200)
            self.send_header("Content-Length", "10")
            self.end_headers()
            self.close_connection = True
        else:
            self._send(200, json.dumps(told).encode(), "application/json")

    def _send(self, status: int, content: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Served-By-Pod", "m1-abc")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def target(port: int, path: str) -> Target:
    return Target(
        address="127.0.0.1", port=port, host="m.example", path=path, method="POST", body=b"{}"
    )


def test_a_request_is_sent_as_a_caller_s() -> None:
    with served() as port, Caller(target(port, "/a:predict?b=c"), 5) as caller:
        found = caller.call(print)
    assert found.status == 200
    assert json.loads(found.body) == {"host": "m.example", "path": "/a:predict?b=c", "body": "{}"}
    assert found.served_by == {"pod": "m1-abc"}


def test_a_streamed_answer_is_shown_as_it_arrives() -> None:
    shown: list[str] = []
    with served() as port, Caller(target(port, "/stream"), 5) as caller:
        found = caller.call(shown.append)
    assert (shown, found.body) == (["Hel", "lo"], "Hello")
    assert event_text("no JSON") == "no JSON"


def test_a_request_without_an_answer_is_one_line() -> None:
    with served() as port, Caller(target(port, "/cut"), 5) as caller:
        with pytest.raises(
            CliError, match=r"http://m\.example/cut at 127\.0\.0\.1:\d+: "
        ) as raised:
            caller.call(print)
        assert "\n" not in str(raised.value)
    with Caller(target(port, "/"), 5) as caller, pytest.raises(CliError, match="no connection"):
        caller.call(print)


def test_a_grpc_call_has_metadata_and_an_answer() -> None:
    method = "/inference.GRPCInferenceService/ModelInfer"
    seen: list[bytes] = []

    class Generic(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # not generic at run time
        def service(self, details: Any) -> Any:
            def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
                seen.append(request)
                context.send_initial_metadata((("x-served-by-pod", "m1-abc"),))
                return b"answer"

            return grpc.unary_unary_rpc_method_handler(answer) if details.method == method else None

    server = grpc.server(ThreadPoolExecutor(max_workers=1), handlers=[Generic()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        sent = Target(
            address="127.0.0.1", port=port, host="m.example", path=method, method="POST",
            body=grpc_messages.message(method, "m1"),
        )  # fmt: skip
        with GrpcCaller(sent, 5) as caller:
            found = caller.call()
        assert (found.status, found.size, found.served_by) == (200, 6, {"pod": "m1-abc"})
        assert seen == [sent.body]
        other = Target(address="127.0.0.1", port=port, host="m.example", path="/a.B/C")
        with GrpcCaller(other, 5) as caller:
            assert caller.call().headers["grpc-status"] == "UNIMPLEMENTED"
    finally:
        server.stop(0).wait()
