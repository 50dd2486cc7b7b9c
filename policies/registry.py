"""All rules, by topic. A new rule stands in its topic's module and is found here by itself."""

from types import ModuleType

from policies import (
    autoscaling,
    cluster,
    data,
    disruption,
    identity,
    labels,
    load_balancer,
    node_pools,
    pod_security,
    pod_security_restricted,
    workloads,
)
from policies.pack import Pack
from policies.rule import Rule

TOPICS: tuple[ModuleType, ...] = (
    cluster,
    node_pools,
    pod_security,
    pod_security_restricted,
    workloads,
    autoscaling,
    disruption,
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
