"""Node objects of node pools. KWOK simulates their kubelets, including metrics.

A node has the capacity of its machine type, so scheduling matches GKE.
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sandbox.kubernetes.api_server import MERGE_PATCH, ApiServer, ApiServerError
from sandbox.kubernetes.specs import ControlPlaneError, NodeSpec

Json = dict[str, Any]
POOL = "cloud.google.com/gke-nodepool"
GPU = "nvidia.com/gpu"
TPU = "google.com/tpu"
_NODES = "/api/v1/nodes"
_MANAGER = "gke-node-pools"
_DRAIN_SECONDS = 10.0
"""How long disruption budgets can delay the removal of a node; on GKE it is an hour."""


def manifest(node: NodeSpec, pool: str, *, project: str, pod_cidr: str | None) -> Json:
    """Return the Node object, without its status."""
    taints = [dict(taint) for taint in node.taints]
    spec: Json = {"providerID": f"gce://{project}/{node.zone}/{node.name}"}
    if taints:
        spec["taints"] = taints
    if pod_cidr:
        spec |= {"podCIDR": pod_cidr, "podCIDRs": [pod_cidr]}
    labels = {
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/os": "linux",
        "kubernetes.io/hostname": node.name,
        "node.kubernetes.io/instance-type": node.machine_type,
        "topology.kubernetes.io/region": node.region,
        "topology.kubernetes.io/zone": node.zone,
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": node.name,
            "labels": labels | dict(node.labels) | {POOL: pool},
            "annotations": {
                "kwok.x-k8s.io/node": "fake",
                # Where metrics-server scrapes the usage of the node's pods.
                "metrics.k8s.io/resource-metrics-path": (
                    f"/metrics/nodes/{node.name}/metrics/resource"
                ),
            },
        },
        "spec": spec,
    }


def status(node: NodeSpec, *, version: str, kubelet_port: int) -> Json:
    """Return the status that a kubelet would report. KWOK adds the conditions."""
    capacity = {
        "cpu": node.cpu,
        "memory": node.memory,
        "ephemeral-storage": node.ephemeral_storage,
        "pods": str(node.pods),
    }
    if node.accelerators:
        capacity[GPU] = str(node.accelerators)
    if node.tpus:
        capacity[TPU] = str(node.tpus)
    left = {
        "cpu": node.allocatable_cpu,
        "memory": node.allocatable_memory,
        "ephemeral-storage": node.allocatable_ephemeral_storage,
    }
    return {
        "capacity": capacity,
        "allocatable": capacity | {name: amount for name, amount in left.items() if amount},
        "addresses": [
            {"type": "InternalIP", "address": node.internal_ip},
            {"type": "Hostname", "address": node.name},
            # The API server and metrics-server use this address (see configuration.py).
            {"type": "InternalDNS", "address": "127.0.0.1"},
        ],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": kubelet_port}},
        "nodeInfo": {
            "architecture": node.labels.get("kubernetes.io/arch", "amd64"),
            "bootID": "",
            "containerRuntimeVersion": "containerd://2.1.4",
            "kernelVersion": "6.12.55+",
            "kubeProxyVersion": f"v{version}",
            "kubeletVersion": f"v{version}",
            "machineID": "",
            "operatingSystem": "linux",
            "osImage": "Container-Optimized OS from Google",
            "systemUUID": "",
        },
    }


def free_ranges(pod_cidr: str, taken: Collection[str]) -> Iterable[str]:
    """Yield the free /24s of the cluster's pod range."""
    network = ipaddress.ip_network(pod_cidr)
    for part in network.subnets(new_prefix=max(24, network.prefixlen)):
        if str(part) not in taken:
            yield str(part)


async def set_nodes(
    server: ApiServer,
    pool: str,
    wanted: Sequence[NodeSpec],
    *,
    project: str,
    version: str,
    pod_cidr: str,
    kubelet_port: int,
) -> None:
    """Add, update and remove nodes until the pool has exactly the wanted ones."""
    present = {node["metadata"]["name"]: node for node in (await server.list(_NODES))["items"]}
    names = {node.name for node in wanted}
    ranges = iter(
        free_ranges(
            pod_cidr,
            {node["spec"].get("podCIDR", "") for node in present.values()}
            | {node.pod_cidr for node in wanted if node.pod_cidr},
        )
    )

    async def put(node: NodeSpec, own: str) -> None:
        body = manifest(node, pool, project=project, pod_cidr=own)
        path = f"{_NODES}/{node.name}"
        await server.apply(path, body, manager=_MANAGER)
        await server.request(
            "PATCH",
            f"{path}/status",
            {"status": status(node, version=version, kubelet_port=kubelet_port)},
            content_type=MERGE_PATCH,
        )

    work = []
    for node in wanted:
        old = present.get(node.name)
        own = old["spec"].get("podCIDR") if old else node.pod_cidr or next(ranges, None)
        if own is None:
            raise ControlPlaneError(
                f"node {node.name}: the cluster's pod range {pod_cidr} has no free /24 left"
            )
        work.append(put(node, own))
    work += [
        remove(server, name)
        for name, node in present.items()
        if node["metadata"].get("labels", {}).get(POOL) == pool and name not in names
    ]
    await asyncio.gather(*work)


async def remove(server: ApiServer, name: str) -> None:
    """Cordon a node, evict its pods, and delete it once they are gone."""
    cordon = {"spec": {"unschedulable": True}}
    try:
        await server.request("PATCH", f"{_NODES}/{name}", cordon, content_type=MERGE_PATCH)
    except ApiServerError as error:
        if error.status == 404:
            return
        raise
    deadline = time.monotonic() + _DRAIN_SECONDS
    while pods := (await server.list("/api/v1/pods", {"fieldSelector": f"spec.nodeName={name}"}))[
        "items"
    ]:
        forced = time.monotonic() > deadline
        await asyncio.gather(*(evict(server, pod, forced=forced) for pod in pods))
        await asyncio.sleep(0.2)
    await server.delete(f"{_NODES}/{name}")


async def evict(server: ApiServer, pod: Json, *, forced: bool) -> None:
    """Evict a pod as far as its disruption budgets allow, or end it at once."""
    metadata = pod["metadata"]
    path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
    if forced:
        await server.delete(path, gracePeriodSeconds=0)
        return
    if "deletionTimestamp" in metadata:
        return
    owners = metadata.get("ownerReferences") or []
    if any(owner["kind"] == "DaemonSet" for owner in owners):
        await server.delete(path)  # its controller would recreate it on the cordoned node
        return
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": metadata["name"], "namespace": metadata["namespace"]},
    }
    try:
        await server.request("POST", f"{path}/eviction", eviction)
    except ApiServerError as error:
        # 429: a disruption budget does not allow it yet.
        if error.status not in (404, 409, 429):
            raise


async def set_kubelet_port(server: ApiServer, port: int) -> None:
    """Update the kubelet port of all nodes after KWOK started on another port."""
    body = {"status": {"daemonEndpoints": {"kubeletEndpoint": {"Port": port}}}}
    for node in (await server.list(_NODES))["items"]:
        path = f"{_NODES}/{node['metadata']['name']}/status"
        await server.request("PATCH", path, body, content_type=MERGE_PATCH)
