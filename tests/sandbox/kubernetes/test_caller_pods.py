"""What runs for the pods of callers' gateways: found by image, with the pod's configuration."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from infra.serving.callers import envoy
from sandbox.kubernetes.controllers import caller_pods
from sandbox.traffic.model_servers.kinds import model_server
from sandbox.traffic.model_servers.passed_on import PassedOn, socket_name

Json = dict[str, Any]
BOOTSTRAP = envoy.bootstrap(
    port=8000,
    server="chat-server.models.svc.cluster.local",
    limits="caller-limits.platform.svc.cluster.local",
    limits_port=8081,
    routes="/run/routes/routes.json",
    fails_open=False,
    ready_path="/health",
    health_port=8002,
    drain_seconds=30,
)
ENVOY: Json = {
    "name": "envoy",
    "image": "docker.io/envoyproxy/envoy:distroless-v1.40.0",
    "args": ["--config-path", "/etc/callers/envoy.json", "--log-level", "warning"],
    "ports": [{"containerPort": 8000, "name": "rest"}, {"containerPort": 8002}],
    "volumeMounts": [{"name": "settings", "mountPath": "/etc/callers"}],
}
LIMITS: Json = {"name": "ratelimit", "image": "docker.io/envoyproxy/ratelimit:3fb70258"}


def pod(container: Json, **status: Any) -> Json:
    settings = {"name": "settings", "configMap": {"name": "chat-callers"}}
    return {
        "metadata": {"namespace": "models", "name": "p", "uid": "u-1"},
        "spec": {"containers": [container], "volumes": [settings]},
        "status": {"phase": "Running", "podIP": "10.0.0.1", **status},
    }


def test_images_decide_what_runs() -> None:
    assert set(caller_pods.running([pod(ENVOY)])) == {"callers-models-p"}
    assert set(caller_pods.running([pod(LIMITS)])) == {"limits-models-p"}
    assert not caller_pods.running([pod(ENVOY, phase="Pending"), pod({**ENVOY, "image": "x:1"})])


def test_the_configuration_is_the_pods_but_for_addresses(tmp_path: Path) -> None:
    (tmp_path / "etc/callers").mkdir(parents=True)
    (tmp_path / "etc/callers/envoy.json").write_text(json.dumps(BOOTSTRAP))
    given = caller_pods.bootstrap(pod(ENVOY), tmp_path)
    assert given == BOOTSTRAP
    found, services = caller_pods.translated(given, pod(ENVOY), tmp_path)
    assert services == {
        "server": (("models", "chat-server"), 8000),
        "limits": (("platform", "caller-limits"), 8081),
    }
    listeners = found["static_resources"]["listeners"]
    assert [one["address"]["pipe"]["path"] for one in listeners] == [
        f"@{socket_name('u-1', port)}" for port in (8000, 8002)
    ]
    assert str(tmp_path / "run/routes/routes.json") in json.dumps(listeners)
    # The filters are those of the pod.
    filters = "filter_chains"
    own = BOOTSTRAP["static_resources"]["listeners"][0][filters][0]["filters"][0]["typed_config"]
    manager = listeners[0][filters][0]["filters"][0]["typed_config"]
    assert manager["http_filters"] == own["http_filters"]


def test_no_simulated_server_answers_for_them() -> None:
    server = model_server(ENVOY)
    assert server is not None
    assert dict(server.ports) == {8000: "passed-on", 8002: "passed-on"}
    assert model_server({**LIMITS, "ports": [{"containerPort": 8081}]}) is None
    assert model_server({"name": "v", "image": "docker.io/valkey/valkey:9.1.2"}) is None


@pytest.mark.parametrize("flag", ["--enable-force-include-usage", ""])
def test_a_server_tells_usage_of_streams_where_it_is_told_to(flag: str) -> None:
    arguments = ["--model=m", *([flag] if flag else [])]
    found = model_server({"name": "m", "image": "vllm/vllm-openai:v0.33.0", "args": arguments})
    assert found is not None
    assert found.includes_usage == bool(flag)


async def _first_bytes() -> bytes:
    loop = asyncio.get_running_loop()
    taken: asyncio.Future[bytes] = loop.create_future()

    def passed_on() -> PassedOn:
        return PassedOn(
            8000, lambda _: None, lambda _, data: taken.set_result(data), lambda _: None
        )

    server = await loop.create_server(passed_on, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\n")
    found = await asyncio.wait_for(taken, 60)
    writer.close()
    server.close()
    return found


def test_a_connection_is_passed_on_with_its_first_bytes() -> None:
    """They were lost where they came before the other side was there."""
    assert asyncio.run(_first_bytes()) == b"GET / HTTP/1.1\r\n"
