"""Managed instance groups of a node pool, one per zone.

This module builds the documents; `compute_resources` stores and deletes them.
"""

from __future__ import annotations

from dataclasses import dataclass

from facts.zones import region_of
from sandbox.gcp.services.container import names
from sandbox.gcp.services.container.wire_format import Json

_ACTIONS = (
    "abandoning creating creatingWithoutRetries deleting none recreating refreshing restarting "
    "resuming starting stopping suspending verifying"
)
_COMPUTE = "https://www.googleapis.com/compute/v1"
# Google's answers have beta API links for the template and the instance group.
_BETA = "https://www.googleapis.com/compute/beta"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One zone of a node pool."""

    project: str
    zone: str
    base: str
    """Prefix of the names of the group and its nodes."""
    size: int

    @property
    def name(self) -> str:
        """The name of the group."""
        return names.instance_group(self.base)

    @property
    def nodes(self) -> list[str]:
        """The names of its nodes. A node keeps its name when the group grows."""
        return [names.node(self.base, index) for index in range(self.size)]

    @property
    def manager_url(self) -> str:
        """The URL that `instanceGroupUrls` shows."""
        return f"{_COMPUTE}/{self.path('instanceGroupManagers')}/{self.name}"

    def path(self, collection: str) -> str:
        """Return projects/P/zones/Z/COLLECTION."""
        return f"projects/{self.project}/zones/{self.zone}/{collection}"


def manager(group: Group, *, project_number: str) -> Json:
    """Return the instance group manager, without fields that the store adds."""
    beta_zone = f"{_BETA}/projects/{group.project}/zones/{group.zone}"
    region = f"{_BETA}/projects/{group.project}/regions/{region_of(group.zone)}"
    template = f"{region}/instanceTemplates/{group.base}"
    actions: Json = dict.fromkeys(_ACTIONS.split(), 0)
    actions["none"] = group.size
    one = {"calculated": 1, "fixed": 1}
    return {
        "kind": "compute#instanceGroupManager",
        "name": group.name,
        "zone": f"{_COMPUTE}/projects/{group.project}/zones/{group.zone}",
        "baseInstanceName": group.base,
        "currentActions": actions,
        "instanceGroup": f"{beta_zone}/instanceGroups/{group.name}",
        "instanceLifecyclePolicy": {
            "defaultActionOnFailure": "REPAIR",
            "forceUpdateOnRepair": "YES",
            "onFailedHealthCheck": "DEFAULT_ACTION",
        },
        "instanceTemplate": template,
        "listManagedInstancesResults": "PAGINATED",
        "satisfiesPzi": True,
        "satisfiesPzs": True,
        "serviceAccount": f"{project_number}@cloudservices.gserviceaccount.com",
        "standbyPolicy": {"mode": "MANUAL"},
        "status": {
            "allInstancesConfig": {"effective": True},
            "isStable": True,
            "stateful": {
                "hasStatefulConfig": False,
                "isStateful": False,
                "perInstanceConfigs": {"allEffective": True},
            },
            "versionTarget": {"isReached": True},
        },
        "targetSize": group.size,
        "targetSizePolicy": {"mode": "INDIVIDUAL"},
        "targetStoppedSize": 0,
        "targetSuspendedSize": 0,
        "updatePolicy": {
            "maxSurge": dict(one),
            "maxUnavailable": dict(one),
            "minReadySec": 0,
            "minimalAction": "REPLACE",
            "replacementMethod": "SUBSTITUTE",
            "type": "OPPORTUNISTIC",
        },
        "versions": [{"instanceTemplate": template, "targetSize": {"calculated": group.size}}],
    }


def instance_group(
    group: Group, *, network: str, subnetwork: str, tags: list[str], service_account: str
) -> Json:
    """Return the instance group. Load balancers use its named ports.

    Tags and service account are its instances', which firewall rules name.
    """
    return {
        "kind": "compute#instanceGroup",
        "name": group.name,
        "zone": f"{_COMPUTE}/projects/{group.project}/zones/{group.zone}",
        "description": "This instance group is controlled by an instance group manager of GKE.",
        "network": f"{_COMPUTE}/{network}",
        "subnetwork": f"{_COMPUTE}/{subnetwork}",
        "size": group.size,
        "_instances": group.nodes,
        "_tags": tags,
        "_serviceAccount": service_account,
    }


def of_pool(
    *, project: str, cluster: str, cluster_id: str, pool: str, sizes: dict[str, int]
) -> list[Group]:
    """Return the groups of a pool, from the number of nodes in each of its zones."""
    return [
        Group(
            project=project,
            zone=zone,
            base=names.node_base(cluster, pool, zone, cluster_id),
            size=size,
        )
        for zone, size in sizes.items()
    ]
