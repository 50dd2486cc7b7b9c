"""Compute Engine resources of a cluster: its networks, and the resources that GKE creates.

GKE creates a managed instance group and its instance group per zone of a pool, a secondary range
for pods if the request names none, and firewall rules. They are deleted with the cluster. The
documents are written directly to the compute service's part of the store.
"""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

from sandbox.gcp.errors import ApiError
from sandbox.gcp.service import fingerprint, now, numeric_id, project_number
from sandbox.gcp.services.container import groups, names, ranges
from sandbox.gcp.services.container.render import ClusterRecord, PoolRecord, groups_of
from sandbox.gcp.services.container.wire_format import Json
from sandbox.gcp.store import Store

_COMPUTE = "https://www.googleapis.com/compute/v1"
_INTERNAL_RANGES = (
    "https://networkconnectivity.googleapis.com/v1/projects/{project}/locations/global/"
    "internalRanges"
)
_KUBELET = "10250"
_KUBELET_READ_ONLY = "10255"


def path_of(reference: str) -> str:
    """Return the `projects/…` part of a link or path."""
    _, found, rest = reference.partition("projects/")
    return f"{found}{rest}"


def subnetworks(store: Store, network: str) -> list[Json]:
    """Return every subnetwork of a network, in all regions."""
    project = network.split("/")[1]
    return [
        document
        for key, document in store.below(f"compute/projects/{project}/regions")
        if "/subnetworks/" in key and path_of(document.get("network", "")) == network
    ]


def taken_ranges(store: Store, network: str) -> list[IPv4Network]:
    """Return all ranges in use in a network."""
    texts = []
    for subnetwork in subnetworks(store, network):
        texts.append(subnetwork.get("ipCidrRange"))
        texts += [r.get("ipCidrRange") for r in subnetwork.get("secondaryIpRanges") or []]
    return [ranges.parse(text) for text in texts if text]


def add_range(store: Store, subnetwork: str, name: str, block: str) -> None:
    """Add a secondary range to a subnetwork."""
    key = f"compute/{subnetwork}"
    document = store.get(key)
    if document is None:
        return
    kept = [r for r in document.get("secondaryIpRanges") or [] if r.get("rangeName") != name]
    project = subnetwork.split("/")[1]
    made = {
        "rangeName": name,
        "ipCidrRange": block,
        "reservedInternalRange": f"{_INTERNAL_RANGES.format(project=project)}/{name}",
    }
    document["secondaryIpRanges"] = [*kept, made]
    document["fingerprint"] = fingerprint(document)
    store.put(key, document)


def mark_subnetwork(store: Store, subnetwork: str) -> None:
    """Switch Private Google Access on, as GKE does for its nodes; it stays on without them."""
    key = f"compute/{subnetwork}"
    document = store.get(key)
    if document is None or document.get("privateIpGoogleAccess"):
        return
    document["privateIpGoogleAccess"] = True
    document["fingerprint"] = fingerprint(document)
    store.put(key, document)


def remove_range(store: Store, subnetwork: str, name: str) -> None:
    """Remove a secondary range from a subnetwork."""
    key = f"compute/{subnetwork}"
    document = store.get(key)
    if document is None:
        return
    kept = [r for r in document.get("secondaryIpRanges") or [] if r.get("rangeName") != name]
    document["secondaryIpRanges"] = kept
    if not kept:
        document.pop("secondaryIpRanges")
    document["fingerprint"] = fingerprint(document)
    store.put(key, document)


def sync_pool(store: Store, record: ClusterRecord, pool: PoolRecord) -> None:
    """Create or update the pool's instance groups to match its sizes."""
    number = project_number(record["project"])
    cluster, config = record["cluster"], pool["pool"]["config"]
    network = cluster["networkConfig"]
    account = config.get("serviceAccount") or "default"
    if account == "default":
        account = f"{number}-compute@developer.gserviceaccount.com"
    for group in groups_of(record, pool):
        wanted = groups.manager(group, project_number=number)
        _upsert(store, f"{group.path('instanceGroupManagers')}/{group.name}", wanted)
        instance_group = groups.instance_group(
            group,
            network=network["network"],
            subnetwork=network["subnetwork"],
            tags=[names.network_tag(cluster["name"], cluster["id"]), *(config.get("tags") or ())],
            service_account=account,
        )
        _upsert(store, f"{group.path('instanceGroups')}/{group.name}", instance_group)


def _upsert(store: Store, path: str, wanted: Json) -> None:
    """Create or update a compute resource. Its id and fields set by users are kept."""
    key = f"compute/{path}"
    document: dict[str, Any] = store.get(key) or {
        "id": numeric_id(),
        "creationTimestamp": now(),
        "selfLink": f"{_COMPUTE}/{path}",
    }
    document |= wanted
    document["fingerprint"] = fingerprint(document)
    store.put(key, document)


def refuse_used(store: Store, removed: list[groups.Group]) -> None:
    """Raise ApiError 400 where a backend service uses one of the groups, as Compute Engine does."""
    for group in removed:
        manager = f"{group.path('instanceGroupManagers')}/{group.name}"
        for path in (f"{group.path('instanceGroups')}/{group.name}", manager):
            users = (key.partition("/")[2] for key in store.users(path))
            user = next((one for one in users if "/backendServices/" in one), None)
            if user is not None:
                raise ApiError(
                    400,
                    f"Google Compute Engine: The instance_group_manager resource '{manager}' is "
                    f"already being used by '{user}'",
                    reason="resourceInUseByAnotherResource",
                )


def remove_groups(store: Store, removed: list[groups.Group]) -> None:
    """Delete instance groups. Raises ApiError 400 where one is in use."""
    refuse_used(store, removed)
    for group in removed:
        store.delete(f"compute/{group.path('instanceGroupManagers')}/{group.name}")
        store.delete(f"compute/{group.path('instanceGroups')}/{group.name}")


def firewalls(record: ClusterRecord) -> list[Json]:
    """Return the firewall rules that GKE creates for a cluster."""
    cluster = record["cluster"]
    name, hashed = cluster["name"], cluster["id"]
    tag = names.network_tag(name, hashed)
    pods = cluster["clusterIpv4Cidr"]
    everything = [{"IPProtocol": p} for p in ("tcp", "udp", "icmp", "esp", "ah", "sctp")]
    nodes = [
        {"IPProtocol": "icmp"},
        {"IPProtocol": "tcp", "ports": ["1-65535"]},
        {"IPProtocol": "udp", "ports": ["1-65535"]},
    ]
    kubelet = [{"IPProtocol": "tcp", "ports": [_KUBELET_READ_ONLY]}]
    rules: list[Json] = [
        {"role": "all", "sourceRanges": [pods], "allowed": everything, "priority": 1000},
        {"role": "vms", "sourceRanges": ["10.128.0.0/9"], "allowed": nodes, "priority": 1000},
        {"role": "inkubelet", "sourceRanges": [pods], "allowed": kubelet, "priority": 999},
        {"role": "exkubelet", "sourceRanges": ["0.0.0.0/0"], "denied": kubelet, "priority": 1000},
    ]
    block = cluster["privateClusterConfig"].get("masterIpv4CidrBlock")
    if block:
        master = [{"IPProtocol": "tcp", "ports": [_KUBELET, "443"]}]
        rules.append(
            {"role": "master", "sourceRanges": [block], "allowed": master, "priority": 1000}
        )
    network = f"{_COMPUTE}/{cluster['networkConfig']['network']}"
    return [
        {
            "kind": "compute#firewall",
            "name": names.firewall(name, hashed, rule.pop("role")),
            "description": "",
            "direction": "INGRESS",
            "disabled": False,
            "enableLogging": False,
            "logConfig": {"enable": False},
            "network": network,
            "targetTags": [tag],
            **rule,
        }
        for rule in rules
    ]


def _firewall_path(record: ClusterRecord, name: str) -> str:
    project = record["cluster"]["networkConfig"]["network"].split("/")[1]
    return f"projects/{project}/global/firewalls/{name}"


def make_firewalls(store: Store, record: ClusterRecord) -> None:
    """Store the cluster's firewall rules."""
    for rule in firewalls(record):
        _upsert(store, _firewall_path(record, rule["name"]), rule)


def remove_all(store: Store, record: ClusterRecord) -> None:
    """Delete all compute resources that were created for a cluster."""
    for pool in record["pools"]:
        remove_groups(store, groups_of(record, pool))
    for rule in firewalls(record):
        store.delete(f"compute/{_firewall_path(record, rule['name'])}")
    for name in record["own_ranges"]:
        remove_range(store, record["cluster"]["networkConfig"]["subnetwork"], name)
