"""What the presets promise of their servers is answered: ports, probes, paths and gauges."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infra.serving.models.presets import PRESETS, Preset
from sandbox.traffic.model_servers import answers
from sandbox.traffic.model_servers.kinds import model_server
from sandbox.traffic.model_servers.load import Load, Settings
from sandbox.traffic.model_servers.messages import Answer, Request
from sandbox.traffic.model_servers.model_server import ModelServer
from sandbox.traffic.model_servers.served import Served

BODIES: dict[str, Any] = {
    "predict": {"instances": [1]},
    "classify": {"examples": [{"x": 1}]},
    "regress": {"examples": [{"x": 1}]},
}


def filled(preset: Preset, words: tuple[str, ...]) -> list[str]:
    values = {
        "name": "resnet",
        "files": "/models/resnet",
        "folder": "/models",
        "rest_port": str(preset.rest_port),
        "grpc_port": str(preset.grpc_port),
        "shutdown_seconds": "25",
    }
    return [word.format(**values) for word in words]


def server(preset: Preset) -> ModelServer:
    """The server of a container with the preset's command line, from a registry of one's own."""
    found = model_server(
        {
            "name": "resnet",
            "image": "registry.example/acme/server@sha256:00",
            "command": filled(preset, preset.command),
            "args": filled(preset, preset.arguments),
            "env": [
                {"name": name, "value": filled(preset, (value,))[0]}
                for name, value in preset.environment
            ],
        }
    )
    assert found is not None
    return found


def ask(of: ModelServer, port: int, method: str, path: str, body: Any = None) -> Answer:
    served = Served(pod="pod-1", namespace="models", node="n", zone="z", version="v1", server=of)
    load = Load(Settings(), None)  # type: ignore[arg-type]  # nothing waits here
    data = b"" if body is None else json.dumps(body).encode()
    request = Request(method, path.encode(), (), data)
    return answers.answer(served, load, None, request, of.ports[port])


@pytest.mark.parametrize("preset", PRESETS.values(), ids=list(PRESETS))
def test_a_preset(preset: Preset) -> None:
    of = server(preset)
    rest = preset.rest_port
    assert rest is not None
    expected = {rest: "http", **({preset.grpc_port: "grpc"} if preset.grpc_port else {})}
    if preset.metrics and preset.metrics.port != rest:
        expected[preset.metrics.port] = "metrics"
    assert dict(of.ports) == expected
    status = preset.path if preset.path_is_status else None
    probes = [preset.ready, preset.alive, *preset.gets, status]
    for path in filled(preset, tuple(one for one in probes if one)):
        assert ask(of, rest, "GET", path).status == 200, path
    model = filled(preset, (preset.path,))[0]
    for verb in preset.verbs:
        assert ask(of, rest, "POST", f"{model}:{verb}", BODIES[verb]).status == 200, verb
    if preset.metrics:
        page = ask(of, preset.metrics.port, "GET", preset.metrics.path)
        assert page.status == 200
        for gauge in preset.metrics.gauges:
            # A GPU's use is known to what watches GPUs; it is set by the annotation.
            assert f"# TYPE {gauge} gauge" in page.body.decode() or gauge.startswith("nv_gpu_")


def test_every_path_of_vllm_is_known() -> None:
    preset = PRESETS["vllm"]
    of = server(preset)
    # /v1/realtime is a WebSocket, which is not spoken; HTTP gets 404 there. Adapters are changed
    # only where that is allowed.
    changes = {"/v1/load_lora_adapter", "/v1/unload_lora_adapter"}
    for path in set(preset.also) - {"/v1/realtime", *changes}:
        statuses = {ask(of, 8000, method, path, {}).status for method in ("GET", "POST")}
        assert statuses != {404}, path
