"""All rules, by topic. A new rule stands in its topic's module and is found here by itself."""

from types import ModuleType

from policies.pack import Pack
from policies.rule import Rule
from policies.rules import (
    api_versions,
    auto_provisioning,
    autoscaling,
    cluster,
    cluster_operations,
    cluster_security,
    control_plane,
    credentials,
    data,
    disruption,
    identity,
    images,
    ingresses,
    jobs,
    labels,
    load_balancer,
    namespaces,
    node_access,
    node_pools,
    nodes,
    placement,
    pod_security,
    pod_security_restricted,
    probes,
    rbac,
    resources,
    service_accounts,
    services,
    shutdown,
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
    data,
    identity,
    labels,
)

RULES: tuple[Rule, ...] = tuple(
    rule for topic in TOPICS for rule in vars(topic).values() if isinstance(rule, Rule)
)


def pack() -> Pack:
    """The whole pack, at its default levels."""
    return Pack(RULES)
