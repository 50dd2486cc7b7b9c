"""The cluster autoscaler on a real control plane, with the emulated container and compute APIs."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from sandbox import engine
from sandbox.gcp.app import create_app
from sandbox.kubernetes.api_server import ApiServer, ApiServerError
from sandbox.kubernetes.control_planes import ClusterKey, ControlPlanes
from sandbox.kubernetes.folder import Folder
from sandbox.kubernetes.scaling import backoff

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("kubernetes")]
Json = dict[str, Any]
KEY = ClusterKey("acme-dev", "us-central1-a", "main")
CLUSTERS = "/container/v1/projects/acme-dev/locations/us-central1-a/clusters"
PODS = "/api/v1/namespaces/default/pods"
CLASS = "cloud.google.com/compute-class"
CLASSES = "/apis/cloud.google.com/v1/computeclasses"
TOKEN = "a-token-of-the-tests"


def _pool(name: str, size: int, most: int, machine: str) -> Json:
    limits = {"enabled": True, "minNodeCount": 0, "maxNodeCount": most}
    config = {"machineType": machine}
    return {"name": name, "initialNodeCount": size, "autoscaling": limits, "config": config}


def _pool_of_class(name: str, machine: str) -> Json:
    made = _pool(name, 0, 1, machine)
    made["config"]["labels"] = {CLASS: "cheap"}
    made["config"]["taints"] = [{"key": CLASS, "value": "cheap", "effect": "NO_SCHEDULE"}]
    return made


def _deployment(name: str, replicas: int, requests: dict[str, str]) -> Json:
    tolerations = [{"key": "nvidia.com/gpu", "operator": "Exists"}]
    container = {"name": "c", "image": "server:1", "resources": {"requests": requests}}
    container["resources"] = {"requests": requests, "limits": requests}
    return {
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [container], "tolerations": tolerations},
            },
        },
    }


async def _eventually(look: Callable[[], Awaitable[Any]], patience: float = 180) -> Any:
    deadline = asyncio.get_running_loop().time() + patience
    while not (found := await look()) and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.2)
    return found


class _Cluster:
    def __init__(self, api: str, server: ApiServer) -> None:
        self.http = httpx.AsyncClient(
            base_url=api, headers={"Authorization": "Bearer t"}, trust_env=False
        )
        self.server = server

    async def running(self, app: str) -> int:
        pods = (await self.server.list(PODS, {"labelSelector": f"app={app}"}))["items"]
        return sum(pod["status"].get("phase") == "Running" for pod in pods)

    async def size(self, pool: str) -> int:
        nodes = (await self.server.list("/api/v1/nodes"))["items"]
        label = "cloud.google.com/gke-nodepool"
        return sum(node["metadata"]["labels"][label] == pool for node in nodes)

    async def events(self, reason: str) -> list[str]:
        params = {"fieldSelector": f"reason={reason}"}
        found = (await self.server.list("/api/v1/namespaces/default/events", params))["items"]
        return [event["message"] for event in found]

    async def deploy(self, *of: Any) -> None:
        path = "/apis/apps/v1/namespaces/default/deployments"
        await self.server.request("POST", path, _deployment(*of))

    async def scale(self, name: str, replicas: int) -> None:
        path = f"/apis/apps/v1/namespaces/default/deployments/{name}"
        await self.server.request(
            "PATCH",
            path,
            {"spec": {"replicas": replicas}},
            content_type="application/merge-patch+json",
        )


async def _provisioning(cluster: _Cluster) -> None:
    """Pods that fit no pool get one, within the limits; it goes when it is empty."""
    limits = [("cpu", 24), ("memory", 200)]
    settings = {
        "enableNodeAutoprovisioning": True,
        "resourceLimits": [{"resourceType": k, "maximum": str(n)} for k, n in limits],
    }
    update = {"update": {"desiredClusterAutoscaling": settings}}
    (await cluster.http.put(f"{CLUSTERS}/main", json=update)).raise_for_status()
    # More than the general pool's machines have, and than two of which the limits allow.
    await cluster.deploy("large", 2, {"cpu": "10", "memory": "8Gi"})

    async def one_runs() -> bool:
        return await cluster.running("large") == 1

    async def made() -> list[str]:
        answer = await cluster.http.get(f"{CLUSTERS}/main/nodePools")
        names = [str(pool["name"]) for pool in answer.json()["nodePools"]]
        return [name for name in names if name.startswith("nap-")]

    assert await _eventually(one_runs)
    (pool,) = await made()
    assert pool.startswith("nap-e2-standard-16-")
    assert await cluster.size(pool) == 1
    await cluster.scale("large", 0)

    async def gone() -> bool:
        return not await made()

    assert await _eventually(gone)


async def _scenario(cluster: _Cluster) -> None:
    # An empty pool of GPU nodes grows for the one who asks for a GPU.
    await cluster.deploy("llm", 2, {"nvidia.com/gpu": "1", "cpu": "1", "memory": "1Gi"})

    async def both_run() -> bool:
        return await cluster.running("llm") == 2

    assert await _eventually(both_run)
    assert await cluster.size("gpu") == 2
    assert any("0->2" in text for text in await cluster.events("TriggeredScaleUp"))
    shown = (await cluster.http.get(f"{CLUSTERS}/main")).json()
    assert shown["currentNodeCount"] == 3
    assert shown["status"] == "RUNNING"
    # More than the pool may have: the rest waits, and is told why.
    await cluster.scale("llm", 3)

    async def told() -> bool:
        texts = await cluster.events("NotTriggerScaleUp")
        return any("max node group size reached" in text for text in texts)

    assert await _eventually(told)
    assert await cluster.size("gpu") == 2
    # Idle nodes go, and the pool is empty again.
    await cluster.http.put("/sandbox/v1/scale-down", json={"seconds": 1})
    await cluster.scale("llm", 0)

    async def empty() -> bool:
        return await cluster.size("gpu") == 0

    assert await _eventually(empty)
    shown = (await cluster.http.get(f"{CLUSTERS}/main")).json()
    assert shown.get("currentNodeCount", 0) <= 1


async def _classes(cluster: _Cluster) -> None:
    """The first choice has no stock, so the second serves; and pods return once it has again."""
    one: Json = {
        "apiVersion": "cloud.google.com/v1",
        "kind": "ComputeClass",
        "metadata": {"name": "cheap"},
        "spec": {
            "priorities": [{"nodepools": ["first"]}, {"nodepools": ["second"]}],
            "activeMigration": {"optimizeRulePriority": True},
        },
    }
    wrong = {**one, "spec": {**one["spec"], "whenUnsatisfiable": "Wait"}}
    with pytest.raises(ApiServerError, match="whenUnsatisfiable"):
        await cluster.server.request("POST", CLASSES, wrong)
    made = await cluster.server.request("POST", CLASSES, one)
    assert made["spec"]["whenUnsatisfiable"] == "DoNotScaleUp"
    stock = {"project": "acme-dev", "zone": "us-central1-a", "machineType": "n2-standard-8"}

    async def in_stock(*, exhausted: bool) -> None:
        body = {**stock, "exhausted": exhausted}
        (await cluster.http.put("/sandbox/v1/stock-out", json=body)).raise_for_status()

    await in_stock(exhausted=True)
    body = _deployment("classed", 1, {"cpu": "3", "memory": "1Gi"})
    body["spec"]["template"]["spec"] |= {"nodeSelector": {CLASS: "cheap"}, "tolerations": []}
    path = "/apis/apps/v1/namespaces/default/deployments"
    await cluster.server.request("POST", path, body)

    async def node() -> str:
        pods = (await cluster.server.list(PODS, {"labelSelector": "app=classed"}))["items"]
        running = [pod for pod in pods if pod["status"].get("phase") == "Running"]
        return str(running[0]["spec"]["nodeName"]) if len(running) == len(pods) == 1 else ""

    async def on(pool: str) -> bool:
        return f"-{pool}-" in await node()

    async def back() -> bool:
        return await on("first") and not await cluster.size("second")

    assert await _eventually(lambda: on("second"))
    assert any("out of resources" in text for text in await cluster.events("FailedScaleUp"))
    await in_stock(exhausted=False)
    assert await _eventually(back)
    await cluster.scale("classed", 0)


def test_pools_grow_for_pending_pods_and_shrink_when_idle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backoff, "FIRST", 2.0)

    async def run() -> None:
        tools = await asyncio.to_thread(engine.ensure)
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        api = f"http://127.0.0.1:{listener.getsockname()[1]}"
        planes = ControlPlanes(
            tmp_path,
            binaries=tools.binaries,
            token=TOKEN,
            modules=tools.modules,
            api=lambda: api,
        )
        app = create_app(tmp_path / "state.sqlite", planes)
        app.state.enforce_enabled_services = False
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on"))
        serving = asyncio.create_task(server.serve([listener]))
        try:
            async with httpx.AsyncClient(base_url=api, trust_env=False, timeout=60) as http:
                pools = [
                    _pool("general", 1, 1, "n2-standard-4"),
                    _pool("gpu", 0, 2, "g2-standard-8"),
                    _pool_of_class("first", "n2-standard-8"),
                    _pool_of_class("second", "e2-standard-8"),
                ]
                body = {"cluster": {"name": "main", "nodePools": pools}}
                headers = {"Authorization": "Bearer t"}
                answer = await http.post(CLUSTERS, json=body, headers=headers)
                assert answer.status_code == 200, answer.text

                async def is_running() -> bool:
                    found = await http.get(f"{CLUSTERS}/main", headers=headers)
                    return bool(found.json()["status"] == "RUNNING")

                assert await _eventually(is_running, 300)
            folder = Folder(tmp_path / "clusters" / str(KEY), KEY)
            ca = folder.state / "pki" / "ca.crt"
            port = int(folder.load().ports["api"])
            cluster = _Cluster(api, ApiServer(port, ca=ca, token=TOKEN, agent="tests"))
            try:
                await _scenario(cluster)
                await _classes(cluster)
                await _provisioning(cluster)
            finally:
                await cluster.server.close()
                await cluster.http.aclose()
        finally:
            # What the API does beside requests ends first: it would open new connections.
            await planes.stop_controllers(KEY)
            server.should_exit = True
            await serving
            await planes.delete(KEY)
            await planes.close()
            listener.close()

    asyncio.run(run())
