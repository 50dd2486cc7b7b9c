"""A cluster with a real control plane: created through the API, used by a client, deleted."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest

from sandbox import engine
from sandbox.kubernetes.control_planes import ControlPlanes
from tests.sandbox.gcp.emulator import PROJECT, emulator

CLUSTER = f"/container/v1/projects/{PROJECT}/locations/us-central1-a/clusters/main"
TOKEN = "a-token-of-the-tests"
POOLS = [
    {"name": "general", "initialNodeCount": 2, "config": {"machineType": "n2-standard-8"}},
    {"name": "gpu", "initialNodeCount": 1, "config": {"machineType": "g2-standard-8"}},
]


def _started_below(home: Path) -> list[str]:
    """Names of the processes whose command line speaks of the home."""
    found = []
    for process in psutil.process_iter(["cmdline", "name", "pid"]):
        line = " ".join(process.info["cmdline"] or [])
        if str(home) in line and process.info["pid"] != os.getpid():
            found.append(str(process.info["name"]))
    return found


def _nodes(binaries: Path, cluster: dict[str, Any], folder: Path) -> list[dict[str, Any]]:
    """What kubectl sees, with nothing but what the container API answered."""
    authority = folder / "ca.crt"
    authority.write_bytes(base64.b64decode(cluster["masterAuth"]["clusterCaCertificate"]))
    command = [
        str(binaries / "kubectl"),
        f"--server=https://{cluster['endpoint']}",
        f"--certificate-authority={authority}",
        f"--token={TOKEN}",
        f"--cache-dir={folder / 'kubectl-cache'}",
        "get",
        "nodes",
        "--output=json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    items: list[dict[str, Any]] = json.loads(done.stdout)["items"]
    return items


@pytest.mark.slow
@pytest.mark.xdist_group("control-plane")
def test_a_real_cluster_has_its_pools_nodes_and_leaves_no_process(tmp_path: Path) -> None:
    async def run() -> None:
        tools = await asyncio.to_thread(engine.ensure)
        planes = ControlPlanes(
            tmp_path,
            binaries=tools.binaries,
            token=TOKEN,
            modules=tools.modules,
            api=lambda: "http://127.0.0.1:9",
        )
        async with emulator(tmp_path / "state.sqlite", planes) as client:
            try:
                made = await client.make(initialNodeCount=None, nodePools=POOLS)
                nodes = await asyncio.to_thread(_nodes, tools.binaries, made, tmp_path)
                seen: dict[str, list[tuple[str, str | None]]] = {}
                for node in nodes:
                    labels = node["metadata"]["labels"]
                    assert labels["topology.kubernetes.io/zone"] == "us-central1-a"
                    capacity = node["status"]["capacity"]
                    seen.setdefault(labels["cloud.google.com/gke-nodepool"], []).append(
                        (capacity["cpu"], capacity.get("nvidia.com/gpu"))
                    )
                assert seen == {"general": [("8", None), ("8", None)], "gpu": [("8", "1")]}
                assert "kube-apiserver" in _started_below(tmp_path)
            finally:
                await client.wait(await client.call("DELETE", CLUSTER))
            assert _started_below(tmp_path) == []
        await planes.close()

    asyncio.run(run())
