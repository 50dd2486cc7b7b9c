"""What is measured of GPUs follows how long their servers were busy."""

from __future__ import annotations

import asyncio
import http.server
import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from gkeplatform.sizing.server import UTILIZATION
from sandbox.kubernetes.cluster_objects import ClusterObjects
from sandbox.kubernetes.specs import ClusterKey
from sandbox.traffic.metrics import gpus as exporter
from sandbox.traffic.metrics.accelerators import NAME, Accelerators
from sandbox.traffic.metrics.gpus import Holder
from sandbox.traffic.model_servers import kinds

CLUSTER = "acme-ml-stage.europe-west4.c"
EXPORTED = frozenset({CLUSTER})
LABELS = {
    "cloud.google.com/gke-accelerator": "nvidia-l4",
    "cloud.google.com/gke-gpu-driver-version": "default",
}


def pod(name: str, *servers: dict[str, Any]) -> dict[str, Any]:
    return {
        "cluster": CLUSTER,
        "namespace": "models",
        "pod": name,
        "node": "n",
        "servers": list(servers),
    }


def server(seconds: float, gpus: int = 1) -> dict[str, Any]:
    return {
        "container": "chat",
        "gpus": gpus,
        "busySeconds": seconds,
        "memoryShare": 0.9,
        "isLoaded": True,
    }


def objects(**labels: str) -> ClusterObjects:
    """A cluster with one node."""
    return ClusterObjects(
        cluster=ClusterKey.parse(CLUSTER),
        services=[],
        slices=[],
        nodes=[{"metadata": {"name": "n", "labels": labels}}],
        ingresses=[],
        classes=[],
        deployments=[],
    )


def holder(name: str, gpus: int = 1, busy: float = 0.5) -> Holder:
    return Holder(
        cluster=CLUSTER, node="n", namespace="models", pod=name, container="chat", gpus=gpus,
        busy=busy, memory_share=0.9,
    )  # fmt: skip


def test_a_rehearsed_server_takes_as_much_memory_as_is_reckoned_with() -> None:
    assert kinds.UTILIZATION == UTILIZATION


def test_the_gpus_of_a_node_are_told_apart() -> None:
    nodes = {f"{CLUSTER}/n": {"metadata": {"labels": LABELS}}}
    found = list(exporter.samples([holder("b"), holder("a", 2)], nodes))
    engines = [one for one in found if one.name == exporter.ENGINE]
    held = {one.labels["gpu"]: one.labels["pod"] for one in engines}
    assert held == {"0": "a", "1": "a", "2": "b"}
    assert len({one.labels["UUID"] for one in engines}) == 3
    used, free, total = (
        next(one.value for one in found if one.name == name)
        for name in (exporter.USED, exporter.FREE, exporter.TOTAL)
    )
    assert used / (used + free) == pytest.approx(0.9, abs=0.001)
    assert used + free <= total


@pytest.mark.parametrize(
    "labels",
    [
        {},
        {"cloud.google.com/gke-accelerator": "nvidia-l4"},
        {**LABELS, "cloud.google.com/gke-gpu-sharing-strategy": "time-sharing"},
    ],
)
def test_gpus_without_the_exporter_have_no_series(labels: dict[str, str]) -> None:
    nodes = {f"{CLUSTER}/n": {"metadata": {"labels": labels}}}
    assert not list(exporter.samples([holder("a")], nodes))


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
        measured = Accelerators(record, lambda: [objects(**LABELS)])

        async def after(seconds: float, *pods: dict[str, Any]) -> dict[str, float]:
            now[0] += seconds
            shown[:] = pods
            found = await measured.samples("acme-ml-stage", exported=EXPORTED)
            engines = {one.labels["pod"]: one.value for one in found if one.name == exporter.ENGINE}
            found = [one for one in found if one.name == NAME]
            assert engines == {one.labels["pod_name"]: one.value / 100 for one in found}
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
            assert await measured.samples("another", exported=EXPORTED) == []
            without = await measured.samples("acme-ml-stage", exported=())
            assert {one.name for one in without} == {NAME}
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
