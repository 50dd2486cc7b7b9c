"""Request validation of Kubernetes Engine, from the request and the machine catalog alone.

Each function raises `InvalidError` with the message of the API's 400 answer. Conflicts with
networks, ranges and other clusters are checked in `placement` and `clusters`.
"""

from __future__ import annotations

from facts.machines import catalog
from facts.zones import is_region, is_zone, region_of, zones_of
from sandbox.gcp import labels
from sandbox.gcp.services.container import hardware, names, versions
from sandbox.gcp.services.container.pool_defaults import DEFAULT_MACHINE
from sandbox.gcp.services.container.wire_format import Json

_MAX_NODES = 1000
_TAINT_EFFECTS = {"NO_SCHEDULE", "PREFER_NO_SCHEDULE", "NO_EXECUTE"}
_IMAGES = {
    "COS_CONTAINERD",
    "UBUNTU_CONTAINERD",
    "WINDOWS_LTSC_CONTAINERD",
    "WINDOWS_SAC_CONTAINERD",
}
_DISKS = {"pd-standard", "pd-balanced", "pd-ssd", "hyperdisk-balanced"}
_CONFIDENTIAL = {"SEV": {"n2d", "c2d", "c3d"}, "SEV_SNP": {"n2d"}, "TDX": {"c3"}}


class InvalidError(ValueError):
    """A request that Google answers with 400 INVALID_ARGUMENT."""


def name(kind: str, value: object) -> str:
    """Check the name of a cluster or a node pool."""
    if not isinstance(value, str) or not value:
        raise InvalidError(f"{kind}.name must be specified.")
    if not names.NAME.fullmatch(value):
        raise InvalidError(
            f"Invalid value for field '{kind}.name': '{value}'. Must be a match of regex "
            "'(?:[a-z](?:[-a-z0-9]{0,38}[a-z0-9])?)' (only alphanumerics and hyphens allowed, must "
            "start with a letter and end with an alphanumeric and must be no longer than 40 "
            "characters)."
        )
    return value


def location(value: str) -> None:
    """Check that a location is a zone or a region of Google Cloud."""
    if not is_zone(value) and not is_region(value):
        raise InvalidError(f"Location {value!r} does not exist.".replace("'", '"'))
    if is_region(value) and not zones_of(value):
        raise InvalidError(
            f'Region "{value}" has no zone in the sandbox\'s catalog of {catalog().date}.'
        )


def node_locations(requested: list[str], where: str) -> tuple[str, ...]:
    """Return the zones that a cluster's nodes are in, checked."""
    region = region_of(where)
    if not requested:
        if is_zone(where):
            return (where,)
        return zones_of(where)[:3]
    for zone in requested:
        if region_of(zone) != region or not is_zone(zone):
            raise InvalidError(
                f'Zone "{zone}" is not a valid node location: it must be a zone of "{region}".'
            )
    if len(set(requested)) != len(requested):
        raise InvalidError(f"Duplicate node locations: {', '.join(requested)}.")
    if is_zone(where) and where not in requested:
        raise InvalidError(f'Node locations must contain the zone of the cluster, "{where}".')
    return tuple(requested)


def channel(value: str, version: str = "") -> str:
    """Check a release channel. Default: the first of REGULAR, STABLE and RAPID with the version."""
    if value in ("", None):
        named = ("REGULAR", "STABLE", "RAPID", "EXTENDED")
        return next((one for one in named if versions.resolve(version, one)), named[0])
    if value != versions.UNSPECIFIED and value not in versions.CHANNELS:
        raise InvalidError(f'Release channel "{value}" is not supported.')
    return value


def master_version(value: str, in_channel: str) -> str:
    """Resolve and check a control plane version."""
    found = versions.resolve(value, in_channel)
    if found is None:
        raise InvalidError(f'Master version "{value}" is unsupported.')
    return found


def node_version(value: str, *, master: str, in_channel: str) -> str:
    """Resolve and check a node pool's version. Default: the control plane's."""
    if value in ("", "-"):
        return master
    found = versions.resolve(value, in_channel)
    if found is None:
        raise InvalidError(f'Node version "{value}" is unsupported.')
    if versions.order(found) > versions.order(master):
        if value == "latest":
            return master
        raise InvalidError(
            f'Node version "{found}" must not be newer than the control plane version "{master}".'
        )
    if versions.is_too_old(found, master):
        raise InvalidError(
            f'Node version "{found}" is more than two minor versions older than the control plane '
            f'version "{master}".'
        )
    return found


def resource_labels(given: Json) -> None:
    """Check the labels of a cluster, or of a pool's machines."""
    labels.check(given, "resource_labels")


def workload_pool(cluster: Json, project: str) -> None:
    """Check that the workload identity pool is the project's own."""
    pool = (cluster.get("workloadIdentityConfig") or {}).get("workloadPool")
    if pool and pool != f"{project}.svc.id.goog":
        raise InvalidError(
            f'Currently, the only supported value for Workload Pool is "{project}.svc.id.goog"; '
            f'"{pool}" was given.'
        )


def node_config(config: Json, zones: tuple[str, ...]) -> None:
    """Check a node configuration against what its zones have."""
    machine = config.get("machineType") or DEFAULT_MACHINE
    disk = config.get("diskType") or (config.get("bootDisk") or {}).get("diskType")
    if disk and disk not in _DISKS:
        raise InvalidError(f'Disk type "{disk}" is not supported.')
    for problem in hardware.problems(config, machine, zones):
        raise InvalidError(problem)
    _taints(config.get("taints") or [])
    resource_labels(config.get("resourceLabels") or {})
    image = (config.get("imageType") or "COS_CONTAINERD").upper()
    if image not in _IMAGES:
        raise InvalidError(f'Image type "{config["imageType"]}" is not supported.')
    size = config.get("diskSizeGb") or (config.get("bootDisk") or {}).get("sizeGb")
    if size and not 10 <= int(size) <= 65536:
        raise InvalidError(f"Disk size must be between 10 and 65536 GB; {size} was given.")
    if config.get("spot") and config.get("preemptible"):
        raise InvalidError("Only one of spot and preemptible may be set.")


def _taints(taints: list[Json]) -> None:
    for taint in taints:
        if not taint.get("key"):
            raise InvalidError("A node taint must have a key.")
        if taint.get("effect") not in _TAINT_EFFECTS:
            raise InvalidError(f'Invalid effect {taint.get("effect")!r} of taint "{taint["key"]}".')


def confidential(cluster: Json, config: Json) -> None:
    """Check that confidential nodes have a supported machine type."""
    wanted = config.get("confidentialNodes") or cluster.get("confidentialNodes") or {}
    if not wanted.get("enabled"):
        return
    kind = wanted.get("confidentialInstanceType") or "SEV"
    family = (config.get("machineType") or DEFAULT_MACHINE).partition("-")[0]
    families = _CONFIDENTIAL.get(kind, set())
    if family not in families:
        raise InvalidError(
            f"Confidential nodes of type {kind} need a machine of the series "
            f'{", ".join(sorted(families)).upper()}; "{config.get("machineType")}" is none.'
        )


def autoscaling(settings: Json) -> None:
    """Check a pool's autoscaling limits."""
    if not settings.get("enabled"):
        return
    low, high = int(settings.get("minNodeCount") or 0), int(settings.get("maxNodeCount") or 0)
    total_low = int(settings.get("totalMinNodeCount") or 0)
    total_high = int(settings.get("totalMaxNodeCount") or 0)
    if (low or high) and (total_low or total_high):
        raise InvalidError("Only one of per-zone and total node limits may be set for autoscaling.")
    if low > high or total_low > total_high:
        raise InvalidError(
            f"Invalid autoscaling limits: the minimum ({low or total_low}) exceeds the maximum "
            f"({high or total_high})."
        )
    if not high and not total_high and not settings.get("autoprovisioned"):
        raise InvalidError("Autoscaling needs a maximum node count greater than zero.")


def management(settings: Json, in_channel: str) -> None:
    """Check that a pool in a release channel has auto-upgrade and auto-repair."""
    if in_channel == versions.UNSPECIFIED:
        return
    if settings.get("autoUpgrade") is False or settings.get("autoRepair") is False:
        raise InvalidError(
            "Auto_upgrade and auto_repair cannot be false when release_channel "
            f"{in_channel} is set."
        )


def node_count(count: int) -> None:
    """Check the number of nodes per zone."""
    if not 0 <= count <= _MAX_NODES:
        raise InvalidError(f"Node count must be between 0 and {_MAX_NODES}; {count} was given.")


def max_pods(value: object) -> None:
    """Check the maximum pods per node."""
    if value is not None and not 8 <= int(str(value)) <= 256:
        raise InvalidError(f"Maximum pods per node must be between 8 and 256; {value} was given.")


def pools(cluster: Json) -> None:
    """Check that a new cluster defines its initial nodes in exactly one way."""
    given = cluster.get("nodePools") or []
    if given and cluster.get("initialNodeCount"):
        raise InvalidError(
            "cluster.initial_node_count and cluster.node_pools may not be set at the same time."
        )
    if given and cluster.get("nodeConfig"):
        raise InvalidError(
            "cluster.node_config and cluster.node_pools may not be set at the same time."
        )
    if (
        not given
        and not cluster.get("initialNodeCount")
        and not (cluster.get("autopilot") or {}).get("enabled")
    ):
        raise InvalidError("Cluster.initial_node_count must be greater than zero.")
    seen: set[str] = set()
    for pool in given:
        pool_name = name("node_pool", pool.get("name"))
        if pool_name in seen:
            raise InvalidError(f'Node pool "{pool_name}" is given twice.')
        seen.add(pool_name)
