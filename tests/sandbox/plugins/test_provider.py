"""The base of the plugins: encoding of values, one-line errors, and shutdown."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2
from hypothesis import given
from hypothesis import strategies as st

from sandbox.plugins.values import (
    UNKNOWN,
    Secret,
    decode,
    encode,
    has_secret,
    has_unknown,
    reveal,
)
from sandbox.protocol import modules

(
    provider_pb2, provider_pb2_grpc, engine_pb2, engine_pb2_grpc, status_pb2, plugin_pb2
) = modules(
    "provider_pb2", "provider_pb2_grpc", "engine_pb2", "engine_pb2_grpc", "status_pb2",
    "plugin_pb2",
)  # fmt: skip
URN = "urn:pulumi:dev::p::up:the/Component:C$toy:index:Toy::my::name"
ROOT = Path(__file__).resolve().parents[3]
TOY = """
    import sys
    from sandbox.plugins.provider import (
        UNKNOWN, CheckFailure, CheckResult, DiffResult, PartialFailure, PluginError, Provider,
        Secret, serve,
    )

    class Toy(Provider):
        name, version = "toy", "1.2.3"

        def check(self, *, type, urn, olds, news, random_seed):
            failures = [CheckFailure("size", "is too big")] if news.get("size") == 99 else []
            return CheckResult({**news, "type": type}, failures)

        def diff(self, *, type, urn, id, old_inputs, old_outputs, new_inputs, ignore_changes):
            names = [n for n in new_inputs if old_inputs.get(n) != new_inputs[n]]
            return DiffResult(
                changes=bool(names), replaces=[n for n in names if n == "colour"],
                detailed={n: "update-replace" if n == "colour" else "update" for n in names},
                delete_before_replace="colour" in names,
            )

        def create(self, *, type, urn, inputs, timeout, preview):
            match inputs.get("do"):
                case "refuse":
                    raise PluginError("toy: it is refused; do otherwise")
                case "break":
                    raise ZeroDivisionError("by\\nzero")
                case "half":
                    raise PartialFailure("half-id", {"made": Secret("x")}, ["a leg is missing"])
                case "wait":
                    self.log(urn, "waiting", status=True)
                    self.cancelled.wait(600)
                    raise PluginError("cancelled")
            return "" if preview else "the-id", {**inputs, "later": UNKNOWN} if preview else inputs

    serve(Toy())
"""


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    script = tmp_path_factory.mktemp("toy") / "toy.py"
    script.write_text(textwrap.dedent(TOY))
    return script


def started(toy: Path, *arguments: str) -> tuple[subprocess.Popen[str], int]:
    process = subprocess.Popen(
        [sys.executable, str(toy), *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


@pytest.fixture(scope="module")
def stub(toy: Path) -> Iterator[Any]:
    process, port = started(toy)
    with process, grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield provider_pb2_grpc.ResourceProviderStub(channel)
        process.terminate()


def create(stub: Any, **inputs: Any) -> Any:
    preview = inputs.pop("preview", False)
    return stub.Create(
        provider_pb2.CreateRequest(urn=URN, properties=encode(inputs), preview=preview)
    )


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.just(UNKNOWN),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.builds(Secret, inner),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), PLAIN))
def test_values_survive_the_wire(values: dict[str, Any]) -> None:
    assert decode(encode(values)) == values


def test_whole_numbers_are_decoded_as_integers() -> None:
    seen = decode(encode({"numbers": [3, 3.0, 3.5]}))["numbers"]
    assert [repr(number) for number in seen] == ["3", "3", "3.5"]


def test_secrets_and_unknowns_are_found_wherever_they_are() -> None:
    values = {"a": [{"b": Secret({"c": UNKNOWN})}]}
    assert has_secret(values)
    assert has_unknown(values)
    assert reveal(values) == {"a": [{"b": {"c": UNKNOWN}}]}
    assert not has_secret(reveal(values))
    assert "hush" not in repr(Secret("hush"))


def test_output_values_become_plain_unknown_or_secret() -> None:
    mark = {"4dabf18193072939515e22adb298388d": "d0e6a833031e9bbcd3f4e8bde6ca49a4"}
    sent = {"a": {**mark, "value": 1}, "b": dict(mark), "c": {**mark, "value": 2, "secret": True}}
    assert decode(encode(sent)) == {"a": 1, "b": UNKNOWN, "c": Secret(2)}


def test_assets_are_unchanged() -> None:
    asset = {
        "4dabf18193072939515e22adb298388d": "c44067f5952c0a294b673a41bacd8c17",
        "path": "file",
        "hash": "aa",
    }
    assert decode(encode({"a": asset})) == {"a": asset}


def test_an_unencodable_value_is_named() -> None:
    with pytest.raises(TypeError, match=r"a\.b\[0\]: object is not"):
        encode({"a": {"b": [object()]}})


def test_the_plugin_reports_its_name_and_version(stub: Any) -> None:
    assert stub.GetPluginInfo(_empty()).version == "1.2.3"
    assert '"toy"' in stub.GetSchema(provider_pb2.GetSchemaRequest()).schema
    answer = stub.Configure(provider_pb2.ConfigureRequest())
    assert answer.acceptSecrets
    assert answer.supportsPreview


def _empty() -> Any:
    return empty_pb2.Empty()


def test_check_returns_failures(stub: Any) -> None:
    answer = stub.Check(provider_pb2.CheckRequest(urn=URN, news=encode({"size": 99})))
    assert decode(answer.inputs)["type"] == "toy:index:Toy"
    assert [(f.property, f.reason) for f in answer.failures] == [("size", "is too big")]


def test_a_diff_lists_the_replacing_properties(stub: Any) -> None:
    answer = stub.Diff(
        provider_pb2.DiffRequest(
            urn=URN,
            old_inputs=encode({"colour": "red", "size": 1}),
            news=encode({"colour": "blue", "size": 2}),
        )
    )
    assert answer.changes == provider_pb2.DiffResponse.DIFF_SOME
    assert list(answer.replaces) == ["colour"]
    assert answer.deleteBeforeReplace
    assert answer.detailedDiff["colour"].kind == provider_pb2.PropertyDiff.UPDATE_REPLACE
    assert answer.detailedDiff["size"].kind == provider_pb2.PropertyDiff.UPDATE


def test_a_preview_returns_unknowns(stub: Any) -> None:
    answer = create(stub, preview=True, a=Secret(1))
    assert answer.id == ""
    assert decode(answer.properties) == {"a": Secret(1), "later": UNKNOWN}


@pytest.mark.parametrize(
    ("do", "text"),
    [
        ("refuse", "toy: it is refused; do otherwise"),
        ("break", "my::name: unexpected ZeroDivisionError in the toy plugin: by zero"),
    ],
)
def test_an_error_is_one_line(stub: Any, do: str, text: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        create(stub, do=do)
    assert caught.value.details() == text


def test_a_partially_created_resource_is_kept(stub: Any) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        create(stub, do="half")
    trailers: dict[str, Any] = {m.key: m.value for m in caught.value.trailing_metadata()}
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    failure = provider_pb2.ErrorResourceInitFailed()
    assert status.details[0].Unpack(failure)
    assert failure.id == "half-id"
    assert list(failure.reasons) == ["a leg is missing"]
    assert decode(failure.properties) == {"made": Secret("x")}
    assert decode(failure.inputs) == {"do": "half"}


def test_unknown_types_and_functions_are_named(stub: Any) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        stub.Invoke(provider_pb2.InvokeRequest(tok="toy:index:get"))
    assert "toy:index:get" in str(caught.value.details())
    with pytest.raises(grpc.RpcError) as caught:
        stub.Construct(provider_pb2.ConstructRequest())
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


class _Engine(engine_pb2_grpc.EngineServicer):  # type: ignore[misc, name-defined]
    def __init__(self) -> None:
        self.said: list[Any] = []

    def Log(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.said.append(request)
        return _empty()


@pytest.fixture
def engine() -> Iterator[tuple[_Engine, str]]:
    servicer = _Engine()
    server = grpc.server(futures.ThreadPoolExecutor(2))
    engine_pb2_grpc.add_EngineServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield servicer, f"127.0.0.1:{port}"
    server.stop(0).wait()


def waits(servicer: _Engine, stub: Any) -> Any:
    """A creation that waits, and has said so."""
    found = stub.Create.future(
        provider_pb2.CreateRequest(urn=URN, properties=encode({"do": "wait"}))
    )
    deadline = time.monotonic() + 60
    while not servicer.said:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


def test_a_cancel_ends_a_wait(toy: Path, engine: tuple[_Engine, str]) -> None:
    servicer, address = engine
    process, port = started(toy, address)
    with process, grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = provider_pb2_grpc.ResourceProviderStub(channel)
        waiting = waits(servicer, stub)
        assert servicer.said[0].message == "waiting"
        assert servicer.said[0].ephemeral
        assert servicer.said[0].urn == URN
        stub.Cancel(_empty())
        assert waiting.exception(timeout=60).details() == "cancelled"
        process.terminate()


def test_a_traceback_goes_to_the_debug_log_alone(toy: Path, engine: tuple[_Engine, str]) -> None:
    servicer, address = engine
    process, port = started(toy)
    with process, grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = provider_pb2_grpc.ResourceProviderStub(channel)
        stub.Attach(plugin_pb2.PluginAttach(address=address))
        with pytest.raises(grpc.RpcError):
            create(stub, do="break")
        [said] = servicer.said
        assert said.severity == engine_pb2.LogSeverity.Value("DEBUG")
        assert "ZeroDivisionError" in said.message
        process.terminate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_plugin_during_a_call(
    toy: Path, engine: tuple[_Engine, str], number: signal.Signals
) -> None:
    servicer, address = engine
    process, port = started(toy, address)
    with process, grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = provider_pb2_grpc.ResourceProviderStub(channel)
        waiting = waits(servicer, stub)
        process.send_signal(number)
        assert process.wait(timeout=60) == 0
        assert waiting.exception(timeout=60).details() == "cancelled"


def test_the_plugin_exits_with_its_parent(toy: Path) -> None:
    parent = subprocess.Popen(
        [
            sys.executable, "-c",
            "import subprocess, sys; p = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE); "
            "p.stdout.readline(); print(p.pid, flush=True); input()",
            sys.executable, str(toy),
        ],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    with parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        os.kill(child, 0)
        parent.kill()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and _is_alive(child):
        time.sleep(0.05)
    assert not _is_alive(child)


def _is_alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:3]
    except FileNotFoundError:
        return False


def test_calls_run_concurrently(stub: Any) -> None:
    seen: list[str] = []
    threads = [
        threading.Thread(target=lambda: seen.append(create(stub, a=1).id)) for _ in range(32)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == ["the-id"] * 32
