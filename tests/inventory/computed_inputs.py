"""Inputs that Google's provider fills in itself, and so keeps when a program leaves them out.

The provider calls them optional and computed. Taking such an input out of a program changes
nothing: the former value stays, so a program has to say the new one. `vanished` finds the inputs
that a program leaves out after an edit. Top-level inputs are those that the SDK marks; nested ones
are listed here, from the provider's schema (version 7: resource_container_cluster,
resource_container_node_pool, node_config).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from declared import ROOT, Declared

CLUSTER = "gcp:container/cluster:Cluster"
POOL = "gcp:container/nodePool:NodePool"

NESTED: Mapping[str, frozenset[str]] = {
    CLUSTER: frozenset(
        {
            *(
                f"addonsConfig.{name}"
                for name in (
                    "dnsCacheConfig",
                    "gcePersistentDiskCsiDriverConfig",
                    "gcpFilestoreCsiDriverConfig",
                    "gcsFuseCsiDriverConfig",
                    "gkeBackupAgentConfig",
                )
            ),
            "clusterAutoscaling.enabled",
            "clusterAutoscaling.autoProvisioningDefaults",
            "clusterAutoscaling.autoProvisioningLocations",
            "masterAuthorizedNetworksConfig.gcpPublicCidrsAccessEnabled",
            "masterAuthorizedNetworksConfig.privateEndpointEnforcementEnabled",
            "monitoringConfig.enableComponents",
            "monitoringConfig.managedPrometheus",
            "securityPostureConfig.mode",
            "securityPostureConfig.vulnerabilityMode",
        }
    ),
    POOL: frozenset(
        {
            "autoscaling.locationPolicy",
            "upgradeSettings.blueGreenSettings",
            "upgradeSettings.maxSurge",
            "upgradeSettings.maxUnavailable",
            *(
                f"nodeConfig.{name}"
                for name in (
                    "diskSizeGb",
                    "diskType",
                    "gcfsConfig",
                    "guestAccelerators",
                    "imageType",
                    "kubeletConfig",
                    "labels",
                    "localSsdCount",
                    "loggingVariant",
                    "machineType",
                    "metadata",
                    "minCpuPlatform",
                    "oauthScopes",
                    "serviceAccount",
                    "shieldedInstanceConfig",
                    "workloadMetadataConfig",
                )
            ),
        }
    ),
}

HARMLESS: Mapping[tuple[str, str], str] = {
    (CLUSTER, "authenticatorGroupsConfig"): 'security_group: "" turns it off, as its key says',
    (CLUSTER, "authenticatorGroupsConfig.securityGroup"): "as above",
    (CLUSTER, "clusterAutoscaling.autoProvisioningDefaults"): "enabled: false switches it off",
    (POOL, "upgradeSettings.blueGreenSettings"): "strategy: SURGE does not use them",
    (POOL, "upgradeSettings.maxSurge"): "strategy: BLUE_GREEN does not use it",
    (POOL, "upgradeSettings.maxUnavailable"): "strategy: BLUE_GREEN does not use it",
    (POOL, "nodeConfig.guestAccelerators"): "infra/cluster/changes.py refuses it on a live pool",
}
"""Why an input may vanish all the same."""


@cache
def computed(kind: str) -> frozenset[str]:
    """The paths of a type's inputs that the provider keeps when they are left out."""
    schema = json.loads((ROOT / "sandbox/plugins/gcp/schema.json").read_text())
    fields = schema.get(kind, {}).get("fields", {})
    marked = {name for name, field in fields.items() if field.get("c")}
    return frozenset(marked | NESTED.get(kind, frozenset()))


def paths(value: object, above: str = "") -> Iterator[str]:
    """The paths of the keys of nested mappings, joined by dots."""
    if isinstance(value, dict):
        for key, item in value.items():
            path = f"{above}.{key}" if above else str(key)
            yield path
            yield from paths(item, path)


def vanished(before: Declared, after: Declared) -> dict[tuple[str, str], str]:
    """Computed inputs of `before` that the same resource lacks in `after`, with its name."""
    found: dict[tuple[str, str], str] = {}
    for (kind, name), inputs in before.inputs.items():
        other: Mapping[str, Any] | None = after.inputs.get((kind, name))
        if other is None:
            continue
        left = set(paths(inputs)) - set(paths(other))
        for path in left & computed(kind):
            if (kind, path) not in HARMLESS:
                found[kind, path] = name
    return found
