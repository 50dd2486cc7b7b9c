"""Services of type NodePort and LoadBalancer as Envoy's TCP listeners, as kube-proxy forwards them.

A node port has a listener for each node, a load balancer one for each port of its forwarding rule.
Requests go to the ready pods whose servers have begun; with `externalTrafficPolicy: Local` a node
leads to its own alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sandbox.gcp.services.compute.place import parse
from sandbox.gcp.store import Json
from sandbox.kubernetes.cluster_objects import ClusterObjects
from sandbox.kubernetes.controllers.endpoint_groups import ready_endpoints
from sandbox.kubernetes.controllers.load_balancers import rule_name
from sandbox.traffic.dial_plan import DialPlan
from sandbox.traffic.load_balancer import files
from sandbox.traffic.load_balancer.endpoints import NOBODY
from sandbox.traffic.load_balancer.unsupported import Unsupported
from sandbox.traffic.runtime.frontends import Frontend
from sandbox.traffic.runtime.source_ranges import caller, guarded

_TCP_PROXY = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"
_NODE_PORT_TYPES = ("NodePort", "LoadBalancer")


@dataclass(slots=True)
class Forwarding:
    """Listeners, clusters and endpoints, and what they stand for."""

    listeners: list[Json] = field(default_factory=list)
    clusters: dict[str, Json] = field(default_factory=dict)
    """By name; each reads its endpoints from a file of its own."""
    endpoints: dict[str, Json] = field(default_factory=dict)
    """The assignment of each cluster by name."""
    routes: dict[str, Json] = field(default_factory=dict)
    """Tables of routes by name."""
    frontends: list[Frontend] = field(default_factory=list)
    node_ports: dict[tuple[str, str, int], int] = field(default_factory=dict)
    """Loopback port by project, instance and node port."""
    unsupported: list[Unsupported] = field(default_factory=list)


def node_port(project: str, instance: str, number: int) -> str:
    """The name of the loopback port that stands for a port of a node."""
    return f"node {project}/{instance}:{number}"


class Services:
    """The forwarding of all Services of a sandbox's clusters."""

    def __init__(
        self,
        documents: dict[str, Json],
        plan: DialPlan,
        *,
        port: Callable[[str], int],
        source: Callable[[str], Json],
        left_out: Callable[[ClusterObjects, Json], bool] = lambda _cluster, _service: False,
    ) -> None:
        """`port` gives the loopback port of a name, `source` tells Envoy of a file.

        `left_out` are Services whose load balancer another builder serves.
        """
        self._rules = _rules_by_name(documents)
        self._plan = plan
        self._port = port
        self._source = source
        self._left_out = left_out
        self.found = Forwarding()

    def add(self, objects: ClusterObjects) -> None:
        """Add the Services of a cluster."""
        for service in objects.services:
            if service["spec"].get("type") not in _NODE_PORT_TYPES:
                continue
            for one in service["spec"].get("ports") or []:
                if one.get("protocol", "TCP") != "TCP":
                    path = f"{objects.cluster}/{_full_name(service)}"
                    self.found.unsupported.append(
                        Unsupported(path, "spec.ports", "Only TCP is forwarded.")
                    )
                    continue
                self._add_node_ports(objects, service, one)
                if not self._left_out(objects, service):
                    self._add_load_balancer(objects, service, one)

    def _add_node_ports(self, objects: ClusterObjects, service: Json, port: Json) -> None:
        number = port.get("nodePort")
        if not number:
            return
        is_local = service["spec"].get("externalTrafficPolicy") == "Local"
        project = objects.cluster.project
        for node in objects.nodes:
            name = node["metadata"]["name"]
            key = node_port(project, name, number)
            cluster = self.cluster(objects, service, port, node=name if is_local else None)
            listens = self._port(key)
            self.found.listeners.append(_tcp(key, listens, cluster))
            self.found.node_ports[project, name, number] = listens
            if service["spec"]["type"] == "NodePort":
                self.found.frontends.append(
                    Frontend(
                        project=project,
                        kind="node-port",
                        name=f"{name}/{_full_name(service)}",
                        address=_internal_address(node),
                        port=number,
                        scheme="tcp",
                        listens=listens,
                    )
                )

    def _add_load_balancer(self, objects: ClusterObjects, service: Json, port: Json) -> None:
        found = self.rule(objects, service)
        if found is None:
            return
        path, rule = found
        cluster = self.cluster(objects, service, port)
        key = f"{path}:{port['port']}"
        listens = self._port(key)
        self.found.listeners.append(guarded(_tcp(key, listens, cluster), service))
        is_http = "http" in {port.get("appProtocol"), port.get("name")} or port["port"] == 80
        self.found.frontends.append(
            Frontend(
                project=objects.cluster.project,
                kind="service",
                name=path,
                address=str(rule["IPAddress"]),
                port=port["port"],
                scheme="http" if is_http else "tcp",
                listens=listens,
                caller=caller(service),
            )
        )
        self._decline_callers(objects, service)

    def _decline_callers(self, objects: ClusterObjects, service: Json) -> None:
        path = f"{objects.cluster}/{_full_name(service)}"
        if service["spec"].get("sessionAffinity", "None") != "None":
            why = "Callers have no addresses on this machine: each connection goes anywhere."
            self.found.unsupported.append(Unsupported(path, "spec.sessionAffinity", why))

    def rule(self, objects: ClusterObjects, service: Json) -> tuple[str, Json] | None:
        """Path and body of the forwarding rule of a LoadBalancer Service, once it has one."""
        if service["spec"].get("type") != "LoadBalancer":
            return None
        return self._rules.get((objects.cluster.project, rule_name(service)))

    def cluster(
        self, objects: ClusterObjects, service: Json, port: Json, *, node: str | None = None
    ) -> str:
        """The name of the cluster of a Service's ready pods, of one node or all."""
        name = f"service/{objects.cluster}/{_full_name(service)}/{port['port']}"
        if node is not None:
            name += f"/{node}"
        if name not in self.found.clusters:
            self.found.clusters[name] = {
                "name": name,
                "type": "EDS",
                "connect_timeout": "1s",
                "lb_policy": "RANDOM",
                "eds_cluster_config": {"eds_config": self._source(files.endpoints_file(name))},
                # A dead pod is one refused connection, not a reason to use all of them.
                "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
            }
            targets = self._targets(objects, service, port, node)
            self.found.endpoints[name] = {
                "cluster_name": name,
                "endpoints": [{"lb_endpoints": list(targets)}],
            }
        return name

    def _targets(
        self, objects: ClusterObjects, service: Json, port: Json, node: str | None
    ) -> Iterator[Json]:
        for where, address, number in sorted(
            ready_endpoints(service, port["port"], objects.slices)
        ):
            if node is not None and where != node:
                continue
            project = objects.cluster.project
            if not self._plan.has_begun(project, address):
                # Its object is ready a moment before its server, by which a real one becomes ready.
                continue
            listens = self._plan.port(project, address, number)
            yield {
                "endpoint": {
                    "address": {
                        "socket_address": {
                            "address": "127.0.0.1", "port_value": listens or NOBODY
                        }
                    },
                    "hostname": f"{address}:{number}",
                }
            }  # fmt: skip


def _rules_by_name(documents: dict[str, Json]) -> dict[tuple[str, str], tuple[str, Json]]:
    found = {}
    for key, body in documents.items():
        place = parse(key.removeprefix("compute/")) if "/forwardingRules/" in key else None
        if place is not None and place.name:
            found[place.project, place.name] = place.path, body
    return found


def _tcp(name: str, port: int, cluster: str) -> Json:
    proxy: dict[str, Any] = {"@type": _TCP_PROXY, "stat_prefix": "service", "cluster": cluster}
    return {
        "name": name,
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.tcp_proxy", "typed_config": proxy}]}
        ],
    }


def _full_name(service: Json) -> str:
    return f"{service['metadata']['namespace']}/{service['metadata']['name']}"


def _internal_address(node: Json) -> str:
    addresses: Iterable[Json] = (node.get("status") or {}).get("addresses") or []
    return next((a["address"] for a in addresses if a.get("type") == "InternalIP"), "")
