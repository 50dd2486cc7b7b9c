"""Network, subnetwork and address ranges of a new cluster.

Networks and subnetworks are read from the compute service's part of the store, ranges of other
clusters from the container service's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network

from sandbox.gcp.errors import ApiError
from sandbox.gcp.service import State
from sandbox.gcp.services.compute.place import Place as ComputePlace
from sandbox.gcp.services.compute.place import parse
from sandbox.gcp.services.compute.resources import load
from sandbox.gcp.services.container import compute_resources, names, ranges
from sandbox.gcp.services.container.errors import bad_request
from sandbox.gcp.services.container.locations import Place
from sandbox.gcp.services.container.render import ClusterRecord
from sandbox.gcp.services.container.wire_format import Json
from sandbox.gcp.store import Store


@dataclass(slots=True, kw_only=True)
class Placement:
    """The network and ranges of a cluster."""

    network: str
    subnetwork: str
    pods: str
    pods_name: str
    services: str
    services_name: str
    own_ranges: dict[str, str]
    """Secondary ranges to add to the subnetwork: name → range."""


def network_of(state: State, given: str, project: str) -> str:
    """Return the path of a cluster's network. Raises 400 if it does not exist."""
    name = given or "default"
    path = compute_resources.path_of(name) if "projects/" in name else ""
    path = path or f"projects/{project}/global/networks/{name}"
    place = parse(path)
    try:
        load(state, place or ComputePlace(project, "global", "networks", name))
    except ApiError:
        raise bad_request(f'Network "{path.rpartition("/")[2]}" does not exist.') from None
    return path


def subnetwork_of(store: Store, given: str, network: str, place: Place) -> str:
    """Return the path of a cluster's subnetwork. Raises 400 if it does not exist."""
    if not given:
        project, name = network.split("/")[1], network.rpartition("/")[2]
        path = f"projects/{project}/regions/{place.region}/subnetworks/{name}"
        if f"compute/{path}" not in store:
            raise bad_request(
                f'Network "{name}" has no subnetwork of its own in "{place.region}": '
                "cluster.subnetwork must be specified."
            )
        return path
    path = compute_resources.path_of(given) if "projects/" in given else ""
    path = path or f"projects/{place.project}/regions/{place.region}/subnetworks/{given}"
    document = store.get(f"compute/{path}")
    name = path.rpartition("/")[2]
    if document is None:
        raise bad_request(f'Subnetwork "{name}" does not exist in region "{place.region}".')
    if f"/regions/{place.region}/" not in path:
        raise bad_request(f'Subnetwork "{name}" is not in region "{place.region}".')
    if compute_resources.path_of(document["network"]) != network:
        raise bad_request(f'Subnetwork "{name}" is not in network "{network.rpartition("/")[2]}".')
    return path


def place_cluster(
    state: State, cluster: Json, place: Place, *, cluster_id: str, others: list[ClusterRecord]
) -> Placement:
    """Determine the network and all ranges of a new cluster. Raises 400 on conflicts."""
    store = state.store
    network = network_of(state, cluster.get("network") or "", place.project)
    subnetwork = subnetwork_of(store, cluster.get("subnetwork") or "", network, place)
    allocator = _RangeAllocator(store, cluster["name"], network, subnetwork, others)
    policy: Json = cluster.get("ipAllocationPolicy") or {}
    block = policy.get("clusterIpv4CidrBlock") or policy.get("clusterIpv4Cidr") or ""
    pods, pods_name = allocator.choose(
        "Pod",
        policy.get("clusterSecondaryRangeName") or "",
        block or cluster.get("clusterIpv4Cidr") or f"/{ranges.DEFAULT_POD_PREFIX}",
        names.pod_range(cluster["name"], cluster_id),
    )
    block = policy.get("servicesIpv4CidrBlock") or policy.get("servicesIpv4Cidr") or ""
    named = policy.get("servicesSecondaryRangeName") or ""
    services, services_name = str(ranges.SERVICES_RANGE), ""
    # A netmask of Google's own range alone asks for that range, which needs no space in the VPC.
    if named or block not in ("", f"/{ranges.SERVICES_RANGE.prefixlen}"):
        made = names.services_range(cluster["name"], cluster_id)
        services, services_name = allocator.choose("Services", named, block, made)
    master = (cluster.get("privateClusterConfig") or {}).get("masterIpv4CidrBlock")
    if master:
        allocator.check_master(master)
    return Placement(
        network=network,
        subnetwork=subnetwork,
        pods=pods,
        pods_name=pods_name,
        services=services,
        services_name=services_name,
        own_ranges=allocator.made,
    )


class _RangeAllocator:
    """Allocates ranges that overlap neither each other nor other clusters' ranges."""

    def __init__(
        self,
        store: Store,
        cluster: str,
        network: str,
        subnetwork: str,
        others: list[ClusterRecord],
    ) -> None:
        self._cluster = cluster
        self._network = network.rpartition("/")[2]
        document = store.get(f"compute/{subnetwork}") or {}
        self._subnetwork = subnetwork.rpartition("/")[2]
        self._secondary = {
            r["rangeName"]: r["ipCidrRange"] for r in document.get("secondaryIpRanges") or []
        }
        neighbours = [
            o["cluster"] for o in others if o["cluster"]["networkConfig"]["network"] == network
        ]
        self._used: dict[str, str] = {}
        for other in neighbours:
            if other["networkConfig"]["subnetwork"] != subnetwork:
                continue
            policy = other["ipAllocationPolicy"]
            for key in ("clusterSecondaryRangeName", "servicesSecondaryRangeName"):
                if policy.get(key):
                    self._used[policy[key]] = other["name"]
        self._taken = compute_resources.taken_ranges(store, network)
        for other in neighbours:
            blocks = [other["clusterIpv4Cidr"], other["servicesIpv4Cidr"]]
            blocks.append(other["privateClusterConfig"].get("masterIpv4CidrBlock"))
            self._taken += [
                ranges.parse(b) for b in blocks if b and b != str(ranges.SERVICES_RANGE)
            ]
        self._chosen: dict[str, str] = {}
        self.made: dict[str, str] = {}

    def choose(self, what: str, named: str, block: str, made: str) -> tuple[str, str]:
        """Return a range and the name of its secondary range."""
        if named:
            return self._existing(what, named), named
        chosen = self._new(what, block)
        self._taken.append(ranges.parse(chosen))
        self.made[made] = chosen
        return chosen, made

    def _existing(self, what: str, named: str) -> str:
        if named not in self._secondary:
            raise bad_request(
                f'{what} secondary range "{named}" does not exist in subnetwork '
                f'"{self._subnetwork}".'
            )
        user = self._used.get(named) or self._chosen.get(named)
        if user:
            raise bad_request(
                f'{what} secondary range "{named}" of subnetwork "{self._subnetwork}" is already '
                f'in use by cluster "{user}".'
            )
        self._chosen[named] = self._cluster
        return str(self._secondary[named])

    def _new(self, what: str, block: str) -> str:
        try:
            length = ranges.prefix_length(block)
            if length is not None:
                return str(ranges.free_range(self._taken, length))
            wanted = ranges.parse(block)
        except ranges.RangeError as error:
            if "no free range" in str(error):
                raise bad_request(
                    f'The network "{self._network}" does not have available private IP space in '
                    f"10.0.0.0/8 to reserve a {block} block for {what.lower()} of cluster "
                    f'"{self._cluster}".'
                ) from None
            raise bad_request(f"Invalid {what.lower()} range: {error}.") from None
        self._refuse_overlap(what, wanted)
        return str(wanted)

    def _refuse_overlap(self, what: str, wanted: IPv4Network) -> None:
        other = ranges.overlapping(wanted, self._taken)
        if other is not None:
            raise bad_request(
                f"{what} range {wanted} overlaps with {other}, which is in use in network "
                f'"{self._network}".'
            )

    def check_master(self, block: str) -> None:
        """Check the range of a private cluster's control plane."""
        try:
            wanted = ranges.parse(block)
        except ranges.RangeError as error:
            raise bad_request(f"Invalid master_ipv4_cidr_block: {error}.") from None
        if wanted.prefixlen != 28:
            raise bad_request(f"Invalid master_ipv4_cidr_block {block}: the netmask must be /28.")
        self._refuse_overlap("Control plane", wanted)
