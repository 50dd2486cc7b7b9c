"""The service controller: a Service of type LoadBalancer gets an address and a forwarding rule.

As on GKE: a forwarding rule, its target pool (or backend service, for an internal one) and a
firewall rule, all named after the Service's uid; a finalizer holds the Service until they are gone.
"""

from __future__ import annotations

from typing import Any

from sandbox.kubernetes.api_server import MERGE_PATCH, ApiServer
from sandbox.kubernetes.controllers.compute import Compute

Json = dict[str, Any]
FINALIZER = "service.kubernetes.io/load-balancer-cleanup"
_INTERNAL = "networking.gke.io/load-balancer-type"


class LoadBalancers:
    """All Services of one cluster."""

    def __init__(
        self, server: ApiServer, compute: Compute, *, region: str, network: str, subnetwork: str
    ) -> None:
        self._server = server
        self._compute = compute
        self._region = region
        self._network = network
        self._subnetwork = subnetwork
        self._done: dict[str, str] = {}
        """uid → what was made for it, so that a look at an unchanged Service costs nothing."""

    async def reconcile(self, services: list[Json]) -> None:
        """Make what Services ask for, and take away what they no longer do."""
        for service in services:
            metadata = service["metadata"]
            wanted = service["spec"].get("type") == "LoadBalancer" and not metadata.get(
                "deletionTimestamp"
            )
            if wanted:
                await self._provide(service)
            elif FINALIZER in (metadata.get("finalizers") or []):
                await self._take_away(service)

    async def _provide(self, service: Json) -> None:
        metadata, ports = service["metadata"], service["spec"]["ports"]
        signature = repr((ports, metadata.get("annotations"), _addresses(service)))
        if self._done.get(metadata["uid"]) == signature:
            return
        if FINALIZER not in (metadata.get("finalizers") or []):
            finalizers = [*(metadata.get("finalizers") or []), FINALIZER]
            await self._patch(service, {"metadata": {"finalizers": finalizers}})
        rule = await self._forwarding_rule(service)
        address = rule["IPAddress"]
        if _addresses(service) != [address]:
            ingress = [{"ip": address, "ipMode": "VIP"}]
            await self._patch(
                service, {"status": {"loadBalancer": {"ingress": ingress}}}, "/status"
            )
        self._done[metadata["uid"]] = repr((ports, metadata.get("annotations"), [address]))

    async def _forwarding_rule(self, service: Json) -> Json:
        name = rule_name(service)
        ports = sorted(port["port"] for port in service["spec"]["ports"])
        described = f'{{"kubernetes.io/service-name":"{_full_name(service)}"}}'
        regional = f"regions/{self._region}"
        protocol = service["spec"]["ports"][0].get("protocol", "TCP")
        body: Json = {"name": name, "description": described, "IPProtocol": protocol}
        given = service["spec"].get("loadBalancerIP")
        if given:
            body["IPAddress"] = given
        if _is_internal(service):
            backend = {
                "name": name, "description": described, "protocol": protocol,
                "loadBalancingScheme": "INTERNAL",
            }  # fmt: skip
            made = await self._compute.ensure(f"{regional}/backendServices", backend)
            body |= {
                "loadBalancingScheme": "INTERNAL", "backendService": made["selfLink"],
                "network": self._network, "subnetwork": self._subnetwork,
                "ports": [str(port) for port in ports],
            }  # fmt: skip
        else:
            pool = {"name": name, "description": described, "sessionAffinity": "NONE"}
            made = await self._compute.ensure(f"{regional}/targetPools", pool)
            body |= {
                "loadBalancingScheme": "EXTERNAL", "target": made["selfLink"],
                "portRange": f"{ports[0]}-{ports[-1]}",
            }  # fmt: skip
        await self._firewall(service, ports, protocol)
        found = await self._compute.get(f"{regional}/forwardingRules/{name}")
        # Ports cannot change in place: the rule is made anew, and keeps its address.
        if found is not None and body.get("portRange", "") != found.get("portRange", ""):
            await self._compute.delete(f"{regional}/forwardingRules/{name}")
            body.setdefault("IPAddress", found["IPAddress"])
        return await self._compute.ensure(f"{regional}/forwardingRules", body)

    async def _firewall(self, service: Json, ports: list[int], protocol: str) -> None:
        sources = service["spec"].get("loadBalancerSourceRanges") or ["0.0.0.0/0"]
        allowed = [{"IPProtocol": protocol.lower(), "ports": [str(port) for port in ports]}]
        body = {
            "name": f"k8s-fw-{rule_name(service)}", "network": self._network,
            "sourceRanges": sources, "allowed": allowed,
        }  # fmt: skip
        found = await self._compute.ensure("global/firewalls", body)
        if found["sourceRanges"] != sources or found["allowed"] != allowed:
            change = {"sourceRanges": sources, "allowed": allowed}
            await self._compute.request("PATCH", f"global/firewalls/{body['name']}", change)

    async def _take_away(self, service: Json) -> None:
        name, regional = rule_name(service), f"regions/{self._region}"
        await self._compute.delete(f"{regional}/forwardingRules/{name}")
        await self._compute.delete(f"{regional}/targetPools/{name}")
        await self._compute.delete(f"{regional}/backendServices/{name}")
        await self._compute.delete(f"global/firewalls/k8s-fw-{name}")
        self._done.pop(service["metadata"]["uid"], None)
        if not service["metadata"].get("deletionTimestamp"):
            await self._patch(service, {"status": {"loadBalancer": {"ingress": None}}}, "/status")
        left = [f for f in service["metadata"]["finalizers"] if f != FINALIZER]
        await self._patch(service, {"metadata": {"finalizers": left}})

    async def _patch(self, service: Json, body: Json, subresource: str = "") -> None:
        metadata = service["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/services/{metadata['name']}"
        await self._server.request("PATCH", path + subresource, body, content_type=MERGE_PATCH)


def rule_name(service: Json) -> str:
    """The forwarding rule's name: `a` and the Service's uid, as every cloud provider has it."""
    return f"a{service['metadata']['uid']}".replace("-", "")[:32]


def _full_name(service: Json) -> str:
    return f"{service['metadata']['namespace']}/{service['metadata']['name']}"


def _is_internal(service: Json) -> bool:
    return (service["metadata"].get("annotations") or {}).get(_INTERNAL) == "Internal"


def _addresses(service: Json) -> list[str]:
    balancer = (service.get("status") or {}).get("loadBalancer") or {}
    return [entry.get("ip", "") for entry in balancer.get("ingress") or []]
