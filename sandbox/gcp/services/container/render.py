"""Renders cluster and node pool records as API answers.

A record holds the cluster as in v1beta1, without fields derived from its node pools, and each pool
with its number of nodes per zone. v1 has fewer fields, as listed in its discovery document.
"""

from __future__ import annotations

from typing import Any, TypedDict

from sandbox.gcp.services.container import groups
from sandbox.gcp.services.container.locations import Place
from sandbox.gcp.services.container.ranges import parse
from sandbox.gcp.services.container.wire_format import Json, prune

_COS = "cos-129-19506-120-64-c-pre"
"""The milestone and build of Container-Optimized OS in image names; any will do."""


class PoolRecord(TypedDict):
    """A node pool's record."""

    pool: Json
    sizes: dict[str, int]
    """Zone → number of nodes."""


class ClusterRecord(TypedDict):
    """A cluster's record."""

    project: str
    location: str
    cluster: Json
    initial_count: int
    pools: list[PoolRecord]
    own_ranges: list[str]
    """Secondary ranges added to the subnetwork for this cluster."""


def place(record: ClusterRecord) -> Place:
    """Return a cluster's location."""
    return Place(record["project"], record["location"])


def groups_of(record: ClusterRecord, pool: PoolRecord) -> list[groups.Group]:
    """Return the instance groups of a pool."""
    return groups.of_pool(
        project=record["project"],
        cluster=record["cluster"]["name"],
        cluster_id=record["cluster"]["id"],
        pool=pool["pool"]["name"],
        sizes=pool["sizes"],
    )


def find_pool(record: ClusterRecord, name: str) -> PoolRecord | None:
    """Return the pool with this name, or None."""
    return next((entry for entry in record["pools"] if entry["pool"]["name"] == name), None)


def node_count(record: ClusterRecord) -> int:
    """Return the cluster's number of nodes."""
    return sum(sum(entry["sizes"].values()) for entry in record["pools"])


def _utilization(entry: PoolRecord) -> float:
    """Return the used share of a pool's pod range. The API reports it for one zone only."""
    if len(entry["sizes"]) > 1:
        return 0.0
    block = entry["pool"]["networkConfig"].get("podIpv4CidrBlock")
    if not block:
        return 0.0
    per_node = 2 ** (32 - int(entry["pool"]["podIpv4CidrSize"]))
    used: int = sum(entry["sizes"].values()) * per_node
    return round(used / parse(block).num_addresses, 4)


def node_image(pool: Json) -> Json:
    """The image of a pool's nodes, which goes with their version; of COS only."""
    if pool["config"].get("imageType") != "COS_CONTAINERD":
        return {}
    number, _, build = str(pool["version"]).partition("-gke.")
    image = f"gke-{number.replace('.', '')}-gke{build}-{_COS}"
    return {"nodeImageConfig": {"image": image, "imageProject": "gke-node-images"}}


def pool(record: ClusterRecord, entry: PoolRecord, version: str, *, alone: bool) -> Json:
    """Return a node pool as in `nodePools.get` (`alone`) or `clusters.get`."""
    name = entry["pool"]["name"]
    shown = dict(entry["pool"])
    if not alone:
        used = _utilization(entry)
        shown["networkConfig"] = shown["networkConfig"] | {"podIpv4RangeUtilization": used}
    shown["config"] = shown["config"] | node_image(entry["pool"])
    shown["instanceGroupUrls"] = [group.manager_url for group in groups_of(record, entry)]
    shown["selfLink"] = place(record).link(
        version, "clusters", record["cluster"]["name"], "nodePools", name
    )
    result: Json = prune(shown)
    return result


def cluster(record: ClusterRecord, version: str) -> Json:
    """Return a cluster as in `clusters.get`."""
    shown = dict(record["cluster"])
    pools = [pool(record, entry, version, alone=False) for entry in record["pools"]]
    shown["selfLink"] = place(record).link(version, "clusters", shown["name"])
    shown["nodePools"] = pools
    shown["currentNodeCount"] = node_count(record)
    shown["initialNodeCount"] = record["initial_count"]
    shown["instanceGroupUrls"] = [url for one in pools for url in one.get("instanceGroupUrls", ())]
    if pools:
        shown["nodeConfig"] = pools[0]["config"]
        versions = {one["version"] for one in pools}
        mixed = "*" if len(versions) > 1 else ""
        shown["currentNodeVersion"] = f"{min(versions)}{mixed}"
        policy = dict(shown["ipAllocationPolicy"])
        total = sum(
            _utilization(entry)
            for entry in record["pools"]
            if entry["pool"]["networkConfig"].get("podRange") == policy["clusterSecondaryRangeName"]
        )
        policy["defaultPodIpv4RangeUtilization"] = round(total, 4)
        shown["ipAllocationPolicy"] = policy
    result: Json = prune(shown)
    return result


def select_fields(schemas: dict[str, Any], schema: str, value: Any) -> Any:
    """Remove fields that an API version's discovery document does not have."""
    properties: dict[str, Any] | None = schemas.get(schema, {}).get("properties")
    if properties is None or not isinstance(value, dict):
        return value
    result = {}
    for name, item in value.items():
        described = properties.get(name)
        if described is None:
            continue
        reference = described.get("$ref") or ""
        items = (described.get("items") or {}).get("$ref") or ""
        if reference:
            result[name] = select_fields(schemas, reference, item)
        elif items and isinstance(item, list):
            result[name] = [select_fields(schemas, items, one) for one in item]
        else:
            result[name] = item
    return result
