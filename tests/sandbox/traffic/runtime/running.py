"""A runtime with a real Envoy, made-up clusters, and servers that answer for their pods."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from facts.front_ends import FRONT_END_RANGES
from sandbox.gcp.app import App
from sandbox.home import Home
from sandbox.kubernetes.cluster_objects import ClusterObjects
from sandbox.kubernetes.specs import ClusterKey
from sandbox.traffic.dial_plan import DialPlan, Listener
from sandbox.traffic.runtime.frontends import Frontend, read
from sandbox.traffic.runtime.runtime import Runtime

Json = dict[str, Any]
COMPUTE = "https://www.googleapis.com/compute/v1/"
CLUSTER = ClusterKey("p", "europe-west4", "main")
CONTROLLER = "k8s.io/ingress-nginx"
ONE, TWO = ("node-1", "10.64.0.1"), ("node-2", "10.64.0.2")
"""Node and address of two pods."""


def service(name: str, kind: str, *, port: int = 80, **spec: Any) -> Json:
    """A Service whose pods are those of `slice_of` of the same name."""
    ports = [{"name": "http", "port": port, "protocol": "TCP", **spec.pop("ports", {})}]
    metadata = {"namespace": "models", "name": name, "uid": f"uid-{name}"}
    return {"metadata": metadata, "spec": {"type": kind, "ports": ports, **spec}}


def slice_of(name: str, *pods: tuple[str, str], port: int = 8501) -> Json:
    """The EndpointSlice of a Service: node and address of each ready pod."""
    labels = {"kubernetes.io/service-name": name}
    endpoints = [
        {"addresses": [address], "nodeName": node, "conditions": {"ready": True}}
        for node, address in pods
    ]
    return {
        "metadata": {"namespace": "models", "name": name, "labels": labels},
        "ports": [{"name": "http", "port": port}],
        "endpoints": endpoints,
    }


def node(name: str) -> Json:
    addresses = [{"type": "InternalIP", "address": "127.0.0.1"}]
    return {"metadata": {"name": name}, "status": {"addresses": addresses}}


def ingress(name: str, *paths: Json, host: str = "", **annotations: str) -> Json:
    given = {
        f"nginx.ingress.kubernetes.io/{key.replace('_', '-')}": value
        for key, value in annotations.items()
    }
    rule = {"http": {"paths": list(paths)}} | ({"host": host} if host else {})
    return {
        "metadata": {"namespace": "models", "name": name, "annotations": given},
        "spec": {"ingressClassName": "nginx", "rules": [rule]},
    }


def path(text: str, to: str, *, kind: str = "Prefix") -> Json:
    backend = {"service": {"name": to, "port": {"number": 80}}}
    return {"path": text, "pathType": kind, "backend": backend}


def nginx() -> Json:
    """The Deployment of a running controller, whose Service is `nginx`."""
    container = {
        "image": "registry.k8s.io/ingress-nginx/controller:v1.15.1",
        "args": ["--publish-service=$(POD_NAMESPACE)/nginx", f"--controller-class={CONTROLLER}"],
    }
    return {
        "metadata": {"namespace": "models", "name": "nginx"},
        "spec": {"template": {"spec": {"containers": [container]}}},
        "status": {"readyReplicas": 1},
    }


class Running:
    """A runtime. Use it as an asynchronous context."""

    def __init__(self, folder: Path) -> None:
        self.home = Home(folder / "home")
        self.home.prepare()
        self.app = App(None)
        self.objects: list[ClusterObjects] = []
        self.runtime = Runtime(
            self.home, self.app.state, lambda: self.objects, storage=1, servers=["sleep", "60"]
        )
        self.listeners: list[Listener] = []
        self.put(
            "global/firewalls/front-ends",
            network=f"{COMPUTE}projects/p/global/networks/default",
            sourceRanges=list(FRONT_END_RANGES),
            allowed=[{"IPProtocol": "tcp"}],
        )
        self._servers: list[asyncio.Server] = []
        self.http = httpx.AsyncClient(trust_env=False, timeout=60)

    async def __aenter__(self) -> Running:
        await self.runtime.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()
        await self.runtime.close()
        for server in self._servers:
            server.close()

    def put(self, path: str, **document: Any) -> None:
        """Write a compute resource."""
        document["name"] = path.rpartition("/")[2]
        self.app.state.store.put(f"compute/projects/p/{path}", document)

    def cluster(self, **objects: list[Json]) -> None:
        """Replace the objects of the cluster."""
        names = (
            "services", "slices", "nodes", "ingresses", "classes", "deployments", "certificates",
        )  # fmt: skip
        folder = self.home.path / "clusters" / str(CLUSTER)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cluster.json").touch()
        given: dict[str, Any] = {name: objects.get(name, []) for name in names}
        self.objects = [ClusterObjects(cluster=CLUSTER, **given)]
        self.runtime.wake()

    async def pod(self, name: str, address: str, port: int = 8501) -> None:
        """Serve for a pod: it answers with its name and the path that it sees."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            body = f"{name} {head.split(' ', 2)[1]}".encode()
            size = str(len(body)).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: " + size)
            writer.write(b"\r\n\r\n" + body)
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        self._servers.append(server)
        listener = Listener(
            project="p", cluster=str(CLUSTER), namespace="models", pod=name, node="node-1",
            zone="europe-west4-a", address=address, port=port,
            listens=server.sockets[0].getsockname()[1],
        )  # fmt: skip
        self.listeners.append(listener)
        DialPlan(self.listeners).write(self.home.dial_plan)

    async def settled(self) -> Json:
        """What the runtime says, once all changes are in force."""
        self.runtime.wake()
        found = await self.runtime.document(15)
        assert found["isSettled"], found
        return found

    def frontend(self, chosen: Callable[[Frontend], bool]) -> Frontend:
        [found] = [one for one in read(self.home.traffic) if chosen(one)]
        return found

    def url(self, kind: str, port: int, path: str = "/") -> str:
        found = self.frontend(lambda one: (one.kind, one.port) == (kind, port))
        return f"http://127.0.0.1:{found.listens}{path}"

    async def get(self, url: str, **headers: str) -> httpx.Response:
        return await self.http.get(url, headers=headers)

    def endpoint_group(self, name: str, *pods: tuple[str, str]) -> str:
        """A zonal group of pods; its link."""
        group = f"zones/europe-west4-a/networkEndpointGroups/{name}"
        self.put(group, networkEndpointType="GCE_VM_IP_PORT")
        for where, address in pods:
            key = f"compute-endpoints/projects/p/{group}/{address}_8501_{where}"
            endpoint = {"ipAddress": address, "port": 8501, "instance": where}
            self.app.state.store.put(key, endpoint)
        return f"{COMPUTE}projects/p/{group}"

    def redirect_to(self, host: str) -> None:
        """A load balancer that redirects every request to a host."""
        action = {"hostRedirect": host, "redirectResponseCode": "FOUND"}
        self.put("global/urlMaps/m", defaultUrlRedirect=action)
        self.put("global/targetHttpProxies/t", urlMap=f"{COMPUTE}projects/p/global/urlMaps/m")
        self.put(
            "global/forwardingRules/f", target=f"{COMPUTE}projects/p/global/targetHttpProxies/t",
            IPAddress="127.16.0.9", portRange="80-80", loadBalancingScheme="EXTERNAL_MANAGED",
        )  # fmt: skip
