"""All rules, by topic. A new rule in a topic's module is registered automatically."""

from types import ModuleType

from policies.pack import Pack
from policies.rule import Rule
from policies.rules import (
    api_versions,
    auto_provisioning,
    autoscaling,
    backends,
    change,
    cluster,
    cluster_operations,
    cluster_security,
    control_plane,
    cost,
    credentials,
    data,
    disruption,
    frontends,
    gateways,
    identity,
    images,
    ingresses,
    jobs,
    labels,
    load_balancer,
    namespaces,
    networks,
    node_access,
    node_pools,
    nodes,
    placement,
    pod_security,
    pod_security_restricted,
    postgres,
    probes,
    rbac,
    resources,
    service_accounts,
    services,
    shutdown,
    url_maps,
)

TOPICS: tuple[ModuleType, ...] = (
    cluster,
    control_plane,
    cluster_security,
    cluster_operations,
    node_pools,
    nodes,
    auto_provisioning,
    pod_security,
    pod_security_restricted,
    resources,
    images,
    probes,
    shutdown,
    placement,
    credentials,
    service_accounts,
    node_access,
    jobs,
    autoscaling,
    disruption,
    services,
    ingresses,
    namespaces,
    rbac,
    api_versions,
    load_balancer,
    frontends,
    gateways,
    backends,
    url_maps,
    networks,
    data,
    postgres,
    identity,
    labels,
    cost,
    change,
)

RULES: tuple[Rule, ...] = tuple(
    rule for topic in TOPICS for rule in vars(topic).values() if isinstance(rule, Rule)
)


def pack() -> Pack:
    """Return the pack with all rules at their default levels."""
    return Pack(RULES)
