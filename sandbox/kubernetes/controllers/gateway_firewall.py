"""The firewall rule of a cluster's Gateways: it lets the load balancer reach their pods.

GKE makes it with the first Gateway, keeps it in step with the routed Services, and deletes it with
the last. It admits the health checks, and the proxies of regional Gateways. In a network of another
project it makes none: the owner of that network must.
Source: https://docs.cloud.google.com/kubernetes-engine/docs/concepts/firewall-rules
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from facts.front_ends import FRONT_END_RANGES
from sandbox.kubernetes.controllers import gateway_compute as shape
from sandbox.kubernetes.controllers.compute import Compute

Json = dict[str, Any]


class GatewayFirewall:
    """The rule of one cluster."""

    def __init__(self, compute: Compute, *, network: str, node_tag: str, cluster: str) -> None:
        """`network` is a path, `node_tag` the tag of the cluster's nodes."""
        self._compute = compute
        self._network = network
        self._tag = node_tag
        self._path = f"global/firewalls/{shape.named('l7', network.rpartition('/')[2], cluster)}"
        self._is_own = network.startswith(f"projects/{compute.project}/")
        self._made: tuple[list[str], list[str]] | None = None
        """Ports and source ranges of the rule; None where they are not known."""

    async def open(self, ports: Iterable[int], proxies: Iterable[str] = ()) -> None:
        """Let the load balancer reach these ports, and no others. Raises ComputeError.

        `proxies` are the ranges of the proxy-only subnets.
        """
        wanted = [str(one) for one in sorted(ports)]
        ranges = [*FRONT_END_RANGES, *sorted(proxies)]
        if (wanted, ranges) == self._made or not self._is_own:
            return
        collection, _, name = self._path.rpartition("/")
        if wanted:
            allowed = [{"IPProtocol": "tcp", "ports": wanted}]
            body = {
                "name": name, "network": self._network, "direction": "INGRESS",
                "sourceRanges": ranges, "allowed": allowed,
                **({"targetTags": [self._tag]} if self._tag else {}),
            }  # fmt: skip
            found = await self._compute.ensure(collection, body)
            if (found["allowed"], found["sourceRanges"]) != (allowed, ranges):
                change = {"allowed": allowed, "sourceRanges": ranges}
                await self._compute.request("PATCH", self._path, change)
        else:
            await self._compute.delete(self._path)
        self._made = wanted, ranges


def target_ports(service: Json, port: int, workloads: list[Json]) -> Iterator[int]:
    """The pods' ports behind a Service's port; a name is one of the workloads' containers."""
    spec = service["spec"]
    found = next((one for one in spec.get("ports") or () if one["port"] == port), None)
    if found is None:
        return
    target = found.get("targetPort", port)
    if isinstance(target, int):
        yield target
        return
    namespace, selector = service["metadata"]["namespace"], spec.get("selector") or {}
    for one in workloads:
        template = one["spec"]["template"]
        labels = (template.get("metadata") or {}).get("labels") or {}
        if (
            selector
            and one["metadata"]["namespace"] == namespace
            and selector.items() <= labels.items()
        ):
            for container in template["spec"]["containers"]:
                for exposed in container.get("ports") or ():
                    if exposed.get("name") == target:
                        yield int(exposed["containerPort"])
