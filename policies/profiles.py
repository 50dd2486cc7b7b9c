"""Profiles: which rules a source is held to.

`platform` is every rule, `gke` leaves out this platform's conventions (labels, namespaces, limits),
and `kubernetes` also leaves out what only Google Cloud has.
"""

from enum import StrEnum

from policies.pack import Pack
from policies.rule import Level, Rule


class Profile(StrEnum):
    """The set of rules to judge by."""

    PLATFORM = "platform"
    GKE = "gke"
    KUBERNETES = "kubernetes"


CONVENTIONS = frozenset(
    {
        "images-come-from-allowed-registries",
        "load-balancers-stay-below-the-ceiling",
        "machines-are-of-allowed-types",
        "objects-bear-the-platform-labels",
        "objects-have-a-namespace",
        "pools-stay-below-the-ceilings",
        "resources-bear-the-platform-labels",
    }
)
"""Rules that hold this platform's own stacks to its conventions."""

GKE_ONLY = frozenset(
    {
        "gke-ingresses-refuse-http",
        "pods-ask-for-pools-that-exist",
        "pods-on-spot-nodes-end-quickly",
    }
)
"""Rules for Kubernetes objects that only GKE has a use for."""


def restricted(pack: Pack, profile: Profile) -> Pack:
    """Return the pack with the rules of a profile only."""
    left_out = {
        rule.id: Level.DISABLED for rule in pack.rules.values() if not _is_in(rule, profile)
    }
    return pack.with_levels(left_out) if left_out else pack


def _is_in(rule: Rule, profile: Profile) -> bool:
    if profile is Profile.PLATFORM:
        return True
    if rule.id in CONVENTIONS:
        return False
    if profile is Profile.GKE:
        return True
    return rule.id not in GKE_ONLY and any(
        one.startswith("kubernetes") for one in rule.selector.types
    )
