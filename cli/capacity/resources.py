"""What one resource of a program counts as against Compute Engine's quotas. Pure functions.

Network endpoint groups and addresses that Kubernetes Engine makes for a Service count with the
Service. What controllers make for an Ingress or a Gateway is not known before the update.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cli.capacity import class_rules, node_pools
from cli.capacity.class_rules import COMPUTE_CLASS
from cli.capacity.node_pools import Surroundings
from facts.quotas import Demand, Metric

Json = Mapping[str, Any]
CLUSTER = "gcp:container/cluster:Cluster"
POOL = "gcp:container/nodePool:NodePool"
_ADDRESSES = "gcp:compute/address:Address"
_GLOBAL_ADDRESSES = "gcp:compute/globalAddress:GlobalAddress"
_POLICIES = "gcp:compute/regionSecurityPolicy:RegionSecurityPolicy"
_SERVICE = "kubernetes:core/v1:Service"
_NEG = "cloud.google.com/neg"
_INTERNAL = ("networking.gke.io/load-balancer-type", "cloud.google.com/load-balancer-type")
_PROJECT = {
    "gcp:compute/backendBucket:BackendBucket": "BACKEND_BUCKETS",
    "gcp:compute/firewall:Firewall": "FIREWALLS",
    "gcp:compute/healthCheck:HealthCheck": "HEALTH_CHECKS",
    "gcp:compute/managedSslCertificate:ManagedSslCertificate": "SSL_CERTIFICATES",
    "gcp:compute/network:Network": "NETWORKS",
    "gcp:compute/router:Router": "ROUTERS",
    "gcp:compute/sSLCertificate:SSLCertificate": "SSL_CERTIFICATES",
    "gcp:compute/sSLPolicy:SSLPolicy": "SSL_POLICIES",
    "gcp:compute/securityPolicy:SecurityPolicy": "SECURITY_POLICIES",
    "gcp:compute/subnetwork:Subnetwork": "SUBNETWORKS",
    "gcp:compute/targetHttpProxy:TargetHttpProxy": "TARGET_HTTP_PROXIES",
    "gcp:compute/targetHttpsProxy:TargetHttpsProxy": "TARGET_HTTPS_PROXIES",
    "gcp:compute/uRLMap:URLMap": "URL_MAPS",
}
"""Types of which each resource counts as one against a quota of the project."""
_BY_SCHEME = {
    "gcp:compute/backendService:BackendService": (
        "BACKEND_SERVICES",
        {
            "EXTERNAL": "GLOBAL_EXTERNAL_PROXY_LB_BACKEND_SERVICES",
            "EXTERNAL_MANAGED": "GLOBAL_EXTERNAL_MANAGED_BACKEND_SERVICES",
        },
    ),
    "gcp:compute/globalForwardingRule:GlobalForwardingRule": (
        "FORWARDING_RULES",
        {"EXTERNAL_MANAGED": "GLOBAL_EXTERNAL_MANAGED_FORWARDING_RULES"},
    ),
}
"""Types whose quota depends on the load balancing scheme; older projects have one for all."""


@dataclass(frozen=True, slots=True)
class Size:
    """What a resource counts as."""

    now: Demand = field(default_factory=Counter)
    """When it is created."""
    most: Demand = field(default_factory=Counter)
    """With all that its autoscaler and an upgrade may add."""
    hidden: tuple[str, ...] = ()
    """Quotas that it needs and the Compute API does not show."""


def size(kind: str, inputs: Json, around: Surroundings) -> Size:
    """What a resource of a type counts as, by its inputs."""
    if kind == POOL:
        now, most, hidden = node_pools.pool(inputs, around)
        return Size(now, most, hidden)
    if kind == COMPUTE_CLASS:
        most, hidden = class_rules.of_class(inputs, around)
        return Size(most=most, hidden=hidden)
    if kind == CLUSTER:
        return Size(node_pools.first_nodes(inputs, around))
    found = _pieces(kind, inputs, around)
    return Size(found, found)


def _pieces(kind: str, inputs: Json, around: Surroundings) -> Demand:
    """The demand of a resource without nodes."""
    if kind in _PROJECT:
        return Counter({Metric(_PROJECT[kind]): 1})
    if kind in _BY_SCHEME:
        general, by_scheme = _BY_SCHEME[kind]
        name = by_scheme.get(str(inputs.get("loadBalancingScheme") or "EXTERNAL"))
        return Counter({Metric(name, otherwise=general) if name else Metric(general): 1})
    is_internal = inputs.get("addressType") == "INTERNAL"
    region = str(inputs.get("region") or around.region)
    if kind == _POLICIES:
        return Counter({Metric("SECURITY_POLICIES_PER_REGION", region): 1})
    if kind == _ADDRESSES:
        name = "INTERNAL_ADDRESSES" if is_internal else "STATIC_ADDRESSES"
        return Counter({Metric(name, region): 1})
    if kind == _GLOBAL_ADDRESSES:
        name = "GLOBAL_INTERNAL_ADDRESSES" if is_internal else "STATIC_ADDRESSES"
        return Counter({Metric(name): 1})
    return _service(inputs, around) if kind == _SERVICE else Counter()


def _service(inputs: Json, around: Surroundings) -> Demand:
    """A network endpoint group for each exposed port and zone, or an address of its own."""
    found: Demand = Counter()
    metadata = inputs.get("metadata") or {}
    annotations = metadata.get("annotations") or {} if isinstance(metadata, Mapping) else {}
    spec = inputs.get("spec") or {}
    try:
        ports = json.loads(annotations.get(_NEG) or "{}").get("exposed_ports") or {}
    except (ValueError, AttributeError, TypeError):
        ports = {}
    if ports:
        metric = Metric("NETWORK_ENDPOINT_GROUPS", around.region)
        found[metric] += len(ports) * max(1, len(around.zones))
    is_internal = any(annotations.get(one) == "Internal" for one in _INTERNAL)
    if spec.get("type") == "LoadBalancer" and not is_internal:
        if not spec.get("loadBalancerIP"):
            found[Metric("IN_USE_ADDRESSES", around.region)] += 1
        found[Metric("EXTERNAL_NETWORK_LB_FORWARDING_RULES", around.region)] += 1
    return found
