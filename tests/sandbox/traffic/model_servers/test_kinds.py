"""A container's model server is recognised as the real one would be started."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.traffic.model_servers.command_line import CommandLine
from sandbox.traffic.model_servers.kinds import model_server
from sandbox.traffic.model_servers.model_server import ModelServer

Json = dict[str, Any]


def served(**container: Any) -> ModelServer:
    found = model_server({"name": "main", **container})
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("container", "kind", "models", "ports"),
    [
        pytest.param(
            {"image": "tensorflow/serving:2.20.0", "env": [{"name": "MODEL_NAME", "value": "cat"}]},
            "tensorflow-serving",
            ("cat",),
            {8500: "grpc", 8501: "http"},
            id="the image's entrypoint has both ports",
        ),
        pytest.param(
            {"image": "x/y:1", "command": ["/usr/bin/tensorflow_model_server", "--port", "9000"]},
            "tensorflow-serving",
            ("default",),
            {9000: "grpc"},
            id="the binary has no REST port by default",
        ),
        pytest.param(
            {
                "image": "x/y@sha256:00",
                "command": ["sh", "-c"],
                "args": ["sleep 1; exec tensorflow_model_server --model_name=$NAME "
                         "--rest_api_port=${PORT}"],
                "env": [{"name": "NAME", "value": "cat"}, {"name": "PORT", "value": "80"}],
            },
            "tensorflow-serving",
            ("cat",),
            {8500: "grpc", 80: "http"},
            id="started by a shell",
        ),
        pytest.param(
            {
                "image": "mirror.example/nvidia/tritonserver@sha256:00",
                "args": ["tritonserver", "--model-control-mode=explicit", "--load-model=a",
                         "--load-model=b", "--allow-grpc=false", "--http-port=9000"],
            },
            "triton",
            ("a", "b"),
            {9000: "http", 8002: "metrics"},
            id="Triton",
        ),
        pytest.param(
            {"image": "x/tritonserver:1", "command": ["tritonserver", "--model-repository=/m"]},
            "triton",
            (),
            {8000: "http", 8001: "grpc", 8002: "metrics"},
            id="Triton with every model of its folder",
        ),
        pytest.param(
            {"image": "x", "command": ["vllm", "serve", "org/model"], "args": ["--port", "8080"]},
            "vllm",
            ("org/model",),
            {8080: "http"},
            id="vLLM",
        ),
        pytest.param(
            {
                "image": "x",
                "command": ["python3", "-m", "vllm.entrypoints.openai.api_server"],
                "args": ["--model", "org/model", "--served-model-name", "a", "b"],
            },
            "vllm",
            ("a", "b"),
            {8000: "http"},
            id="vLLM's module, with two names",
        ),
        pytest.param(
            {"image": "vllm/vllm-openai:v1", "args": ["--model=$(M)"],
             "env": [{"name": "M", "value": "x"}]},
            "vllm",
            ("x",),
            {8000: "http"},
            id="vLLM's image, with a variable",
        ),
        pytest.param(
            {"image": "seldonio/mlserver:1", "env": [
                {"name": "mlserver_http_port", "value": "9000"}]},
            "mlserver",
            (),
            {8082: "metrics", 8081: "grpc", 9000: "http"},
            id="MLServer",
        ),
        pytest.param(
            {"image": "ghcr.io/huggingface/text-generation-inference:3",
             "args": ["--model-id", "org/model", "-p", "3000"]},
            "text-generation-inference",
            ("org/model", "tgi"),
            {3000: "http"},
            id="Text Generation Inference",
        ),
        pytest.param(
            {"image": "acme/web:1", "ports": [
                {"containerPort": 8080}, {"containerPort": 9, "protocol": "UDP"}],
             "readinessProbe": {"grpc": {"port": 9000}}},
            "custom",
            (),
            {8080: "any", 9000: "grpc"},
            id="a server of one's own",
        ),
        pytest.param(
            {"image": "acme/web:1", "command": ["serve", "--backend", "vllm"],
             "ports": [{"containerPort": 1}]},
            "custom",
            (),
            {1: "any"},
            id="a program that only names another",
        ),
    ],
)  # fmt: skip
def test_recognition(
    container: Json, kind: str, models: tuple[str, ...], ports: dict[int, str]
) -> None:
    found = served(**container)
    assert (found.kind, found.models, dict(found.ports)) == (kind, models, ports)


def test_what_has_no_port_serves_nothing() -> None:
    assert model_server({"name": "main", "image": "acme/batch:1"}) is None


@pytest.mark.parametrize(
    "image", ["registry.k8s.io/ingress-nginx/controller:v1", "ghcr.io/zalando/spilo-17:4"]
)
def test_what_the_platform_runs_beside_models_is_left_out(image: str) -> None:
    container = {"name": "main", "image": image, "ports": [{"containerPort": 80}]}
    assert model_server(container) is None


def test_what_sigterm_does() -> None:
    triton = served(image="tritonserver", command=["tritonserver", "--exit-timeout-secs=7"])
    assert (triton.on_sigterm, triton.shutdown_seconds) == ("finish", 7)
    assert served(image="x", command=["vllm", "serve", "m"]).on_sigterm == "exit"
    waits = served(image="x", command=["vllm", "serve", "m", "--shutdown-timeout=9"])
    assert (waits.on_sigterm, waits.shutdown_seconds) == ("drain", 9)
    assert served(image="x", command=["tensorflow_model_server"]).on_sigterm == "ignore"
    forwards = served(image="x", command=["tini", "--", "tensorflow_model_server"])
    assert forwards.on_sigterm == "exit"


def test_metrics_of_tensorflow_serving_need_its_file() -> None:
    words = ["tensorflow_model_server", "--rest_api_port=8501"]
    assert served(image="x", command=words).metrics_path is None
    monitored = served(image="x", command=[*words, "--monitoring_config_file=/etc/m.txt"])
    assert monitored.metrics_path == "/monitoring/prometheus/metrics"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--a_b=1", "--a-b", "2"], "2"),
        (["-a-b", "3"], "3"),
        (["--a-b"], ""),
        (["--a-bc=1"], None),
    ],
)
def test_a_flag_in_any_spelling(words: list[str], expected: str | None) -> None:
    assert CommandLine({"command": words}).value("a-b") == expected


def test_switches() -> None:
    line = CommandLine({"command": ["x", "--a", "--b=false", "--no-c", "--d=true"]})
    assert [line.is_on(one, default=one == "c") for one in "abcde"] == [
        True,
        False,
        False,
        True,
        False,
    ]


@pytest.mark.parametrize(
    "container",
    [
        {"command": ["vllm", "serve", "m", "--host", "127.0.0.1"]},
        {"command": ["mlserver"], "env": [{"name": "MLSERVER_HOST", "value": "localhost"}]},
    ],
)
def test_what_listens_inside_its_pod_only_is_not_reached(container: Json) -> None:
    assert not served(image="x", **container).ports


def test_an_address_of_one_port() -> None:
    words = ["tritonserver", "--http-address=127.0.0.1", "--grpc-address=0.0.0.0"]
    assert dict(served(image="x", command=words).ports) == {8001: "grpc", 8002: "metrics"}
