"""The service controller: a Service of type LoadBalancer gets an address and a forwarding rule.

As on GKE: a forwarding rule, its target pool (or backend service, for an internal one) and a
firewall rule, named after the Service's uid. A finalizer keeps the Service until they are deleted.
"""

from __future__ import annotations

import logging
from typing import Any

from sandbox.kubernetes.api_server import MERGE_PATCH, ApiServer, ApiServerError
from sandbox.kubernetes.controllers.compute import Compute, ComputeError
from sandbox.kubernetes.controllers.events import Events

_log = logging.getLogger("sandbox.kubernetes.controllers")
Json = dict[str, Any]
FINALIZER = "service.kubernetes.io/load-balancer-cleanup"
_INTERNAL = "networking.gke.io/load-balancer-type"


class LoadBalancers:
    """Reconciles all Services of one cluster."""

    def __init__(
        self, server: ApiServer, compute: Compute, *, region: str, network: str, subnetwork: str
    ) -> None:
        self._server = server
        self._compute = compute
        self._region = region
        self._network = network
        self._subnetwork = subnetwork
        self._done: dict[str, str] = {}
        """Signature of the last result by uid, to skip unchanged Services."""
        self._events = Events(server, "service-controller")
        self.has_failures = False
        """Whether a Service failed, so that a retry is needed."""

    async def reconcile(self, services: list[Json]) -> None:
        """Create and delete load balancers according to the Services.

        An error of one Service does not block the others.
        """
        self.has_failures = False
        for service in services:
            try:
                await self._serve(service)
            except ApiServerError as error:
                # Changed or deleted meanwhile: handled by the next run.
                if error.status not in (404, 409):
                    raise
                self.has_failures = True
            except ComputeError as error:
                self.has_failures = True
                message = f"Error syncing load balancer: failed to ensure load balancer: {error}"
                _log.warning("service %s: %s", _full_name(service), message)
                await self._events.warn(service, "SyncLoadBalancerFailed", message)

    async def _serve(self, service: Json) -> None:
        metadata = service["metadata"]
        wanted = service["spec"].get("type") == "LoadBalancer" and not metadata.get(
            "deletionTimestamp"
        )
        if wanted:
            await self._provide(service)
        elif FINALIZER in (metadata.get("finalizers") or []):
            await self._remove(service)

    async def _provide(self, service: Json) -> None:
        metadata = service["metadata"]
        signature = _signature(service, _addresses(service))
        if self._done.get(metadata["uid"]) == signature:
            return
        if FINALIZER not in (metadata.get("finalizers") or []):
            await self._set_finalizers(service, [*(metadata.get("finalizers") or []), FINALIZER])
        rule = await self._forwarding_rule(service)
        address = rule["IPAddress"]
        if _addresses(service) != [address]:
            ingress = [{"ip": address, "ipMode": "VIP"}]
            await self._patch(
                service, {"status": {"loadBalancer": {"ingress": ingress}}}, "/status"
            )
        self._done[metadata["uid"]] = _signature(service, [address])

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
        found = await self._compute.get(f"{regional}/forwardingRules/{name}")
        # It cannot be updated in place: the rule is recreated, and keeps its address if
        # that has the same type and no other is requested.
        if found is not None and not _fits(found, body):
            await self._compute.delete(f"{regional}/forwardingRules/{name}")
            if found["loadBalancingScheme"] == body["loadBalancingScheme"]:
                body.setdefault("IPAddress", found["IPAddress"])
        rule = await self._compute.ensure(f"{regional}/forwardingRules", body)
        await self._firewall(service, ports, protocol, rule["IPAddress"])
        return rule

    async def _firewall(self, service: Json, ports: list[int], protocol: str, address: str) -> None:
        sources = service["spec"].get("loadBalancerSourceRanges") or ["0.0.0.0/0"]
        allowed = [{"IPProtocol": protocol.lower(), "ports": [str(port) for port in ports]}]
        # As the Google Cloud provider of Kubernetes describes it.
        described = (
            f'{{"kubernetes.io/service-name":"{_full_name(service)}", '
            f'"kubernetes.io/service-ip":"{address}"}}'
        )
        body = {
            "name": f"k8s-fw-{rule_name(service)}", "description": described,
            "network": self._network, "sourceRanges": sources, "allowed": allowed,
        }  # fmt: skip
        found = await self._compute.ensure("global/firewalls", body)
        if found["sourceRanges"] != sources or found["allowed"] != allowed:
            change = {"sourceRanges": sources, "allowed": allowed}
            await self._compute.request("PATCH", f"global/firewalls/{body['name']}", change)

    async def _remove(self, service: Json) -> None:
        name, regional = rule_name(service), f"regions/{self._region}"
        await self._compute.delete(f"{regional}/forwardingRules/{name}")
        await self._compute.delete(f"{regional}/targetPools/{name}")
        await self._compute.delete(f"{regional}/backendServices/{name}")
        await self._compute.delete(f"global/firewalls/k8s-fw-{name}")
        self._done.pop(service["metadata"]["uid"], None)
        left = [f for f in service["metadata"]["finalizers"] if f != FINALIZER]
        await self._set_finalizers(service, left)
        if not service["metadata"].get("deletionTimestamp") and _addresses(service):
            await self._patch(service, {"status": {"loadBalancer": {"ingress": None}}}, "/status")

    async def _set_finalizers(self, service: Json, finalizers: list[str]) -> None:
        """Replace the finalizers. Fails if the Service was changed meanwhile."""
        metadata = service["metadata"]
        change = {"finalizers": finalizers, "resourceVersion": metadata["resourceVersion"]}
        patched = await self._patch(service, {"metadata": change})
        metadata["resourceVersion"] = patched["metadata"]["resourceVersion"]
        metadata["finalizers"] = finalizers

    async def _patch(self, service: Json, body: Json, subresource: str = "") -> Json:
        metadata = service["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/services/{metadata['name']}"
        return await self._server.request(
            "PATCH", path + subresource, body, content_type=MERGE_PATCH
        )


def rule_name(service: Json) -> str:
    """Return the forwarding rule's name: `a` and the Service's uid, as in all cloud providers."""
    return f"a{service['metadata']['uid']}".replace("-", "")[:32]


def _full_name(service: Json) -> str:
    return f"{service['metadata']['namespace']}/{service['metadata']['name']}"


def _is_internal(service: Json) -> bool:
    return (service["metadata"].get("annotations") or {}).get(_INTERNAL) == "Internal"


def _signature(service: Json, addresses: list[str]) -> str:
    """Return everything that a load balancer depends on."""
    spec = service["spec"]
    requested = [spec.get(name) for name in ("ports", "loadBalancerIP", "loadBalancerSourceRanges")]
    return repr((requested, service["metadata"].get("annotations"), addresses))


def _fits(found: Json, body: Json) -> bool:
    """Whether a forwarding rule matches the request."""
    fields = ("IPProtocol", "loadBalancingScheme", "portRange", "ports", "IPAddress")
    return all(found.get(field) == body[field] for field in fields if field in body)


def _addresses(service: Json) -> list[str]:
    balancer = (service.get("status") or {}).get("loadBalancer") or {}
    return [entry.get("ip", "") for entry in balancer.get("ingress") or []]
