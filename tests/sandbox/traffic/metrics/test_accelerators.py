"""The duty cycle of GPUs follows how long their servers were busy."""

from __future__ import annotations

import asyncio
import http.server
import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from sandbox.traffic.metrics.accelerators import Accelerators

CLUSTER = "acme-ml-stage.europe-west4.c"


def pod(name: str, *servers: dict[str, Any]) -> dict[str, Any]:
    return {"cluster": CLUSTER, "namespace": "models", "pod": name, "servers": list(servers)}


def server(seconds: float, gpus: int = 1) -> dict[str, Any]:
    return {"container": "chat", "gpus": gpus, "busySeconds": seconds}


def test_the_share_of_time_that_a_server_was_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[dict[str, Any]] = []

    class Control(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(shown).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    async def scenario(record: Path) -> None:
        measured = Accelerators(record)

        async def after(seconds: float, *pods: dict[str, Any]) -> dict[str, float]:
            now[0] += seconds
            shown[:] = pods
            found = await measured.samples("acme-ml-stage")
            assert {one.labels["container_name"] for one in found} <= {"chat"}
            assert {one.labels["cluster_name"] for one in found} <= {"c"}
            return {one.labels["pod_name"]: one.value for one in found}

        try:
            assert await after(0, pod("a", server(50)), pod("cpu", server(9, gpus=0))) == {"a": 0}
            assert await after(10, pod("a", server(54)), pod("b", server(3))) == {"a": 40, "b": 0}
            # Too soon: the last values stand.
            assert await after(1, pod("a", server(55))) == {"a": 40, "b": 0}
            # A server that was started again counts from nothing.
            assert await after(9, pod("a", server(1)), pod("b", server(30))) == {"a": 0, "b": 100}
            assert await measured.samples("another") == []
            record.unlink()
            assert await after(10) == {}
        finally:
            await measured.close()

    with http.server.HTTPServer(("127.0.0.1", 0), Control) as control:
        threading.Thread(target=control.serve_forever, daemon=True).start()
        record = tmp_path / "model-servers.json"
        record.write_text(json.dumps({"port": control.server_address[1], "pid": 1}))
        asyncio.run(scenario(record))
        control.shutdown()
