"""A real control plane for the tests of a module.

It ends with them: a cluster takes its share of the processor for as long as it runs.
"""

import asyncio
import json
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sandbox import engine
from sandbox.kubernetes.control_planes import ClusterKey, ControlPlanes, Endpoint, NodeSpec

TOKEN = "a-token-of-the-tests"
CLUSTER = ClusterKey("acme-dev", "europe-west4", "plugins")
Kubectl = Callable[..., str]


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """An API server with two nodes."""
    tools = engine.ensure()
    planes = ControlPlanes(
        tmp_path_factory.mktemp("home"),
        binaries=tools.binaries,
        token=TOKEN,
        modules=tools.modules,
        api=lambda: "http://127.0.0.1:9",
    )

    async def start() -> Endpoint:
        made = await planes.create(CLUSTER, version="1.36.3-gke.1237000")
        nodes = [
            NodeSpec(
                name=f"gke-plugins-general-{zone}",
                zone=f"europe-west4-{zone}",
                region="europe-west4",
                machine_type="n2-standard-4",
                cpu="4",
                memory="16393244Ki",
            )
            for zone in "ab"
        ]
        await planes.set_nodes(CLUSTER, "general", nodes)
        await planes.close()
        return made

    async def end() -> None:
        await planes.delete(CLUSTER)
        await planes.close()

    try:
        yield asyncio.run(start())
    finally:
        asyncio.run(end())


@pytest.fixture(scope="module")
def kubeconfig(endpoint: Endpoint) -> str:
    """Contents of a kubeconfig of the control plane."""
    cluster = {
        "server": f"https://{endpoint.address}",
        "certificate-authority-data": endpoint.ca_certificate,
    }
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "main",
            "clusters": [{"name": "main", "cluster": cluster}],
            "contexts": [{"name": "main", "context": {"cluster": "main", "user": "main"}}],
            "users": [{"name": "main", "user": {"token": TOKEN}}],
        }
    )


@pytest.fixture(scope="module")
def kubectl(kubeconfig: str, tmp_path_factory: pytest.TempPathFactory) -> Kubectl:
    """Somebody who changes things behind Pulumi's back."""
    file = tmp_path_factory.mktemp("kubectl") / "config"
    file.write_text(kubeconfig)
    binary = engine.ensure().binaries / "kubectl"

    def run(*arguments: str, given: Any = None) -> str:
        done = subprocess.run(
            [binary, "--kubeconfig", file, *arguments],
            input=None if given is None else json.dumps(given),
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    return run
