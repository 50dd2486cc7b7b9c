"""Which model server a container runs, and how it listens, loads and stops.

It is recognised by its program, else by its image, as the real one would be: never by labels. What
is not recognised is a `custom` server, which answers every path on every port of its container.
Sources of the facts: each server's documentation and source, named below.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from sandbox.traffic.model_servers.command_line import CommandLine
from sandbox.traffic.model_servers.model_server import ModelServer, Role
from sandbox.traffic.model_servers.passed_on import ENVOY

Json = Mapping[str, Any]

NOT_SERVERS = re.compile(
    r"(^|/)(ingress-nginx/|envoyproxy/ratelimit|valkey/valkey|keda|postgres-operator|spilo"
    r"|postgres(:|@|$)|pgbouncer|gke-gcs-fuse|lws/lws(:|@|$)|pause(:|@|$)|kube-)"
)
"""Images of what the platform runs beside models; their callers are not a model's."""

_UPDATING = "VLLM_ALLOW_RUNTIME_LORA_UPDATING"
UTILIZATION = 0.92
"""vLLM's default of `--gpu-memory-utilization` (0.33, `vllm/config/cache.py`)."""
_ADAPTER_GUARD = "adapter_guard."
"""The module of the middleware by which a server takes adapters from its own pod only."""


def model_server(container: Json, *, fields: Mapping[str, str] | None = None) -> ModelServer | None:
    """What a container serves; None if it serves nothing."""
    image = str(container.get("image") or "")
    if NOT_SERVERS.search(image):
        return None
    line = CommandLine(container, fields)
    if ENVOY.search(image) and "--config-path" in (container.get("args") or ()):
        return _envoy(container, line, image)
    repository = "" if line.has_command else _repository(image)
    known = (
        read
        for programs, pattern, read in _KINDS
        if line.programs & programs or pattern.search(repository)
    )
    found = next(known, _custom)(container, line, image)
    return found and replace(found, words=line.words)


def _repository(image: str) -> str:
    """An image's reference without its tag and digest."""
    return re.sub(r":[^:/]*$", "", image.partition("@")[0]).lower()


def declared_ports(container: Json) -> dict[int, str]:
    """The names of the TCP ports that a container declares or is probed at."""
    found = {
        int(port["containerPort"]): str(port.get("name") or "")
        for port in container.get("ports") or ()
        if port.get("protocol", "TCP") == "TCP"
    }
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        for action in ("httpGet", "tcpSocket", "grpc"):
            port = ((container.get(probe) or {}).get(action) or {}).get("port")
            if isinstance(port, int):
                found.setdefault(port, "grpc" if action == "grpc" else "")
    return found


def _is_loopback(host: str) -> bool:
    """Whether a server that listens on a host is reached from its own pod only."""
    return host.strip("[]") in ("localhost", "::1") or host.startswith("127.")


def _probe_path(container: Json, probe: str) -> str | None:
    path = ((container.get(probe) or {}).get("httpGet") or {}).get("path")
    return None if path is None else str(path).partition("?")[0]


def _tensorflow_serving(container: Json, line: CommandLine, image: str) -> ModelServer:
    """https://github.com/tensorflow/serving: model_servers/main.cc.

    It has no handler for SIGTERM (issue 1853), and the first process of a container is not ended by
    a signal without one: it serves until the grace period ends. It listens once its models are
    loaded. Its binary has no REST port by default; the image's entrypoint sets 8501.
    """
    by_entrypoint = "tensorflow_model_server" not in line.programs
    rest = int(line.number("rest-api-port", default=8501 if by_entrypoint else 0))
    grpc = int(line.number("port", default=8500))
    names = line.value("model-name") or (line.environment.get("MODEL_NAME") or "model")
    if not by_entrypoint and line.value("model-name") is None:
        names = "default"
    ports: dict[int, Role] = {grpc: "grpc"}
    if rest and rest != grpc:  # it skips REST on the port of gRPC
        ports[rest] = "http"
    monitored = line.value("monitoring-config-file") is not None
    return ModelServer(
        kind="tensorflow-serving",
        container=container["name"],
        image=image,
        # A file that names several models is not read: any name is served then.
        models=() if line.value("model-config-file") else (names,),
        ports=ports,
        metrics_path="/monitoring/prometheus/metrics" if monitored and rest in ports else None,
        on_sigterm="exit" if line.has_init else "ignore",
        has_grpc_health=line.is_on("enable-grpc-healthcheck-service"),
    )


def _triton(container: Json, line: CommandLine, image: str) -> ModelServer:
    """https://github.com/triton-inference-server/server: src/main.cc, src/http_server.cc.

    It listens once its models are loaded. On SIGTERM it takes no new connections, and serves those
    it has until they are closed or `--exit-timeout-secs` (30) have passed.
    """
    ports: dict[int, Role] = {}
    for role, flag, default in (
        ("http", "http", 8000),
        ("grpc", "grpc", 8001),
        ("metrics", "metrics", 8002),
    ):
        is_open = not _is_loopback(line.value(f"{flag}-address") or "")
        if line.is_on(f"allow-{flag}", default=True) and is_open:
            ports[int(line.number(f"{flag}-port", default=default))] = role  # type: ignore[assignment]
    names = tuple(name for name in line.values("load-model") if name != "*")
    explicit = line.value("model-control-mode") == "explicit"
    return ModelServer(
        kind="triton",
        container=container["name"],
        image=image,
        models=names if explicit else (),
        ports=ports,
        metrics_path="/metrics" if "metrics" in ports.values() else None,
        on_sigterm="finish",
        shutdown_seconds=line.number("exit-timeout-secs", default=30),
        has_grpc_health=True,
    )


def _mlserver(container: Json, line: CommandLine, image: str) -> ModelServer:
    """https://mlserver.readthedocs.io: reference/settings. It loads while its ports listen."""
    variables = {name.upper(): value for name, value in line.environment.items()}

    def port(name: str, default: int) -> int:
        value = variables.get(name, "")
        return int(value) if value.isdecimal() else default

    ports: dict[int, Role] = {
        port("MLSERVER_METRICS_PORT", 8082): "metrics",
        port("MLSERVER_GRPC_PORT", 8081): "grpc",
        port("MLSERVER_HTTP_PORT", 8080): "http",
    }
    if _is_loopback(variables.get("MLSERVER_HOST", "")):
        ports = {}
    name = variables.get("MLSERVER_MODEL_NAME")
    return ModelServer(
        kind="mlserver",
        container=container["name"],
        image=image,
        models=(name,) if name else (),
        ports=ports,
        metrics_path=variables.get("MLSERVER_METRICS_ENDPOINT", "/metrics"),
        on_sigterm="drain",
        listens_while_loading=True,
        alive_paths=frozenset({"/v2/health/live", "/v2"}),
    )


def _vllm(container: Json, line: CommandLine, image: str) -> ModelServer:
    """https://docs.vllm.ai: configuration/serve_args. It listens once its model is loaded.

    On SIGTERM it aborts what is under way, or waits `--shutdown-timeout` seconds. With `--headless`
    it works for another host's server, and has no API.
    """
    is_unreachable = line.is_on("headless") or _is_loopback(line.value("host") or "")
    port = int(line.number("port", default=8000))
    names = line.values("served-model-name")
    default = line.value("model") or line.after("serve")
    if default is None and line.words and not line.has_command:
        default = None if line.words[0].startswith("-") else line.words[0]
    wait = line.number("shutdown-timeout", default=0)
    takes_adapters = line.is_on("enable-lora")
    guarded = any(one.startswith(_ADAPTER_GUARD) for one in line.values("middleware"))
    updates = takes_adapters and line.environment.get(_UPDATING, "").lower() in {"1", "true"}
    adapters = dict(_adapter(one) for one in line.values("lora-modules")) if takes_adapters else {}
    return ModelServer(
        kind="vllm",
        container=container["name"],
        image=image,
        models=tuple(names) or ((default,) if default else ()),
        ports={} if is_unreachable else {port: "http"},
        metrics_path="/metrics",
        on_sigterm="drain" if wait > 0 else "exit",
        shutdown_seconds=wait or None,
        adapters={name: path for name, path in adapters.items() if name},
        max_loras=int(line.number("max-loras", default=1)) if takes_adapters else 0,
        memory_share=line.number("gpu-memory-utilization", default=UTILIZATION),
        includes_usage=line.is_on("enable-force-include-usage"),
        longest=int(line.number("max-model-len", default=0)) or None,
        updates_adapters=("pod" if guarded else "anyone") if updates else "",
    )


def _adapter(word: str) -> tuple[str, str]:
    """The name and the folder of `--lora-modules`: `name=path`, or JSON with both."""
    if word.startswith("{"):
        try:
            given = json.loads(word)
            return str(given["name"]), str(given["path"])
        except (ValueError, KeyError, TypeError):
            return "", ""
    name, _, path = word.partition("=")
    return name, path


def _text_generation(container: Json, line: CommandLine, image: str) -> ModelServer:
    """https://huggingface.co/docs/text-generation-inference. It finishes what is under way."""
    variables = line.environment
    port = int(line.number("port", "p", default=float(variables.get("PORT") or 80)))
    name = line.value("model-id") or variables.get("MODEL_ID")
    return ModelServer(
        kind="text-generation-inference",
        container=container["name"],
        image=image,
        models=(name, "tgi") if name else (),
        ports={} if _is_loopback(line.value("hostname") or "") else {port: "http"},
        metrics_path="/metrics",
        on_sigterm="drain",
    )


def _torchserve(container: Json, line: CommandLine, image: str) -> ModelServer:
    """https://pytorch.org/serve. Its ports stand in a file, which is not read."""
    names = tuple(value.partition("=")[0].removesuffix(".mar") for value in line.values("models"))
    return ModelServer(
        kind="torchserve",
        container=container["name"],
        image=image,
        models=() if "all" in names else names,
        ports={8080: "http", 8081: "http", 8082: "metrics", 7070: "grpc", **_others(container)},
        metrics_path="/metrics",
        on_sigterm="exit",
        listens_while_loading=True,
        alive_paths=frozenset({"/models"}),
    )


def _others(container: Json) -> dict[int, Role]:
    known = {8080, 8081, 8082, 7070, 7071}
    return {port: "any" for port in declared_ports(container) if port not in known}


def _envoy(container: Json, _line: CommandLine, image: str) -> ModelServer | None:
    """A gateway of callers: a real Envoy runs for the pod (`sandbox.kubernetes.controllers`).

    On SIGTERM Envoy ends at once.
    """
    return ModelServer(
        kind="envoy",
        container=container["name"],
        image=image,
        models=(),
        ports={int(port["containerPort"]): "passed-on" for port in container.get("ports") or ()},
        metrics_path=None,
        on_sigterm="exit",
    )


def _custom(container: Json, _line: CommandLine, image: str) -> ModelServer | None:
    """Taken for a server that loads while it listens, and finishes what is under way."""
    if not (ports := declared_ports(container)):
        return None
    alive = _probe_path(container, "livenessProbe")
    ready = {_probe_path(container, one) for one in ("readinessProbe", "startupProbe")}
    return ModelServer(
        kind="custom",
        container=container["name"],
        image=image,
        models=(),
        ports={port: "grpc" if name.startswith("grpc") else "any" for port, name in ports.items()},
        metrics_path="/metrics",
        on_sigterm="drain",
        listens_while_loading=True,
        alive_paths=frozenset({alive} if alive and alive not in ready else ()),
        has_grpc_health=True,
    )


_Reader = Callable[[Json, CommandLine, str], "ModelServer | None"]
_KINDS: tuple[tuple[frozenset[str], re.Pattern[str], _Reader], ...] = (
    (
        frozenset({"tensorflow_model_server", "tf_serving_entrypoint.sh"}),
        re.compile(r"(tensorflow|tf)[-_/]?serving"),
        _tensorflow_serving,
    ),
    (frozenset({"tritonserver"}), re.compile("tritonserver"), _triton),
    (frozenset({"mlserver"}), re.compile("mlserver"), _mlserver),
    (
        frozenset({"vllm", "vllm.entrypoints.openai.api_server"}),
        re.compile("vllm"),
        _vllm,
    ),
    (
        frozenset({"text-generation-launcher"}),
        re.compile("text-generation-inference"),
        _text_generation,
    ),
    (frozenset({"torchserve"}), re.compile("torchserve"), _torchserve),
)
