"""The table of emulated compute resource kinds.

A row names a collection's schema and what differs for it: `complete` sets the server's defaults
and validates, `shown` adds computed fields on reading. `resources` does the rest for all kinds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sandbox.gcp.discovery import Json
from sandbox.gcp.service import State
from sandbox.gcp.services.compute import (
    addresses,
    backends,
    certificates,
    firewalls,
    forwarding_rules,
    groups,
    health_checks,
    networks,
    proxies,
    routers,
    security,
    url_maps,
)
from sandbox.gcp.services.compute.place import Place

Complete = Callable[[State, Place, Json, Json | None], None]
"""(state, place, new document to change, old document or None on insert)."""
Shown = Callable[[State, Place, Json], None]


def _nothing(state: State, place: Place, document: Json, old: Json | None = None) -> None:
    """The kind needs nothing of its own."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One collection."""

    schema: str
    noun: str
    """The resource's name in error messages."""
    complete: Complete = _nothing
    shown: Shown = _nothing
    removed: Shown = _nothing
    """Deletes what depends on it."""
    patch_operation: str = "patch"
    update_operation: str = "update"
    unpatched: frozenset[str] = frozenset()
    """Fields that patch ignores: they have methods of their own. A regional patch takes those that
    its mask names: the official provider changes the rules of a regional policy so."""
    not_inserted: frozenset[str] = frozenset()
    """Fields that insert ignores: they have methods of their own."""


KINDS: dict[str, Kind] = {
    "addresses": Kind("Address", "address", addresses.complete, addresses.shown),
    "backendBuckets": Kind(
        "BackendBucket", "backend_bucket", backends.complete_bucket, backends.shown
    ),
    "backendServices": Kind(
        "BackendService", "backend_service", backends.complete_service, backends.shown
    ),
    "firewalls": Kind("Firewall", "firewall", firewalls.complete),
    "forwardingRules": Kind(
        "ForwardingRule",
        "forwarding_rule",
        forwarding_rules.complete,
        not_inserted=frozenset({"labels"}),
    ),
    "healthChecks": Kind("HealthCheck", "health_check", health_checks.complete),
    "httpHealthChecks": Kind("HttpHealthCheck", "http_health_check", health_checks.complete_legacy),
    "httpsHealthChecks": Kind(
        "HttpsHealthCheck", "https_health_check", health_checks.complete_legacy
    ),
    "instanceGroupManagers": Kind(
        "InstanceGroupManager", "instance_group_manager", groups.complete_manager
    ),
    "instanceGroups": Kind("InstanceGroup", "instance_group", groups.complete_group),
    "networkEndpointGroups": Kind(
        "NetworkEndpointGroup",
        "network_endpoint_group",
        groups.complete_endpoint_group,
        groups.shown_endpoint_group,
        groups.removed_endpoint_group,
    ),
    "networks": Kind(
        "Network",
        "network",
        networks.complete_network,
        networks.shown_network,
        networks.removed_network,
        patch_operation="updateNetwork",
    ),
    "routers": Kind("Router", "router", routers.complete),
    "routes": Kind("Route", "route"),
    "securityPolicies": Kind(
        "SecurityPolicy",
        "security_policy",
        security.complete_policy,
        patch_operation="compute.securityPolicies.patch",
        unpatched=frozenset({"rules"}),
    ),
    "sslCertificates": Kind(
        "SslCertificate", "ssl_certificate", certificates.complete, certificates.shown
    ),
    "sslPolicies": Kind(
        "SslPolicy",
        "ssl_policy",
        security.complete_ssl_policy,
        patch_operation="compute.sslPolicies.patch",
    ),
    "subnetworks": Kind(
        "Subnetwork",
        "subnetwork",
        networks.complete_subnetwork,
        patch_operation="compute.subnetworks.patch",
    ),
    "targetGrpcProxies": Kind("TargetGrpcProxy", "target_grpc_proxy", proxies.complete),
    "targetHttpProxies": Kind("TargetHttpProxy", "target_http_proxy", proxies.complete),
    "targetHttpsProxies": Kind("TargetHttpsProxy", "target_https_proxy", proxies.complete),
    "targetPools": Kind("TargetPool", "target_pool"),
    "targetSslProxies": Kind("TargetSslProxy", "target_ssl_proxy", proxies.complete),
    "targetTcpProxies": Kind("TargetTcpProxy", "target_tcp_proxy", proxies.complete),
    "urlMaps": Kind("UrlMap", "url_map", url_maps.complete, url_maps.shown),
}
