"""Validation and records of new node pools."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence

from facts.quotas import Demand
from sandbox.gcp import quotas
from sandbox.gcp.services.container import checks, pool_constraints, pool_defaults
from sandbox.gcp.services.container.errors import bad_request
from sandbox.gcp.services.container.render import PoolRecord
from sandbox.gcp.services.container.wire_format import Json, without
from sandbox.gcp.store import Store

_DEFAULT_NAME = "default-pool"


def of_new_cluster(requested: Json) -> list[Json]:
    """Return the initial pools of a new cluster: those it names, or a default pool."""
    given: list[Json] = list(requested.get("nodePools") or [])
    if given:
        return given
    return [
        {
            "name": _DEFAULT_NAME,
            "config": requested.get("nodeConfig") or {},
            "initialNodeCount": int(requested.get("initialNodeCount") or 1),
        }
    ]


def record(store: Store, cluster: Json, requested: Json, project: str) -> PoolRecord:
    """Validate a new pool and return its record."""
    checks.name("node_pool", requested.get("name"))
    config: Json = requested.get("config") or {}
    zones = tuple(requested.get("locations") or cluster["locations"])
    if requested.get("locations"):
        checks.node_locations(list(zones), zones[0].rpartition("-")[0])
        _same_region(zones, cluster["location"])
    channel = (cluster.get("releaseChannel") or {}).get("channel") or "UNSPECIFIED"
    checks.node_config(config, zones)
    checks.confidential(cluster, config)
    checks.autoscaling(requested.get("autoscaling") or {})
    management = requested.get("management") or {}
    if pool_constraints.is_on_demand_capacity(requested):
        management = management | {
            "autoRepair": True
        }  # must be off there; checked by pool_constraints
    checks.management(management, channel)
    pool_constraints.check(requested, zones)
    checks.max_pods((requested.get("maxPodsConstraint") or {}).get("maxPodsPerNode"))
    count = int(requested.get("initialNodeCount") or 0)
    checks.node_count(count)
    version = checks.node_version(
        requested.get("version") or "", master=cluster["currentMasterVersion"], in_channel=channel
    )
    service_account(store, config, project)
    pool = pool_defaults.pool(requested, cluster=cluster, version=version, etag=str(uuid.uuid4()))
    _pod_range(store, pool)
    return {"pool": without(pool, "instanceGroupUrls"), "sizes": dict.fromkeys(zones, count)}


def refuse_over_quota(store: Store, project: str, pools: Sequence[PoolRecord]) -> None:
    """Refuse pools whose nodes exceed a quota. Raises ApiError 403."""
    wanted: Demand = Counter()
    for entry in pools:
        wanted += quotas.of_pool(entry["pool"], entry["sizes"])
    quotas.refuse_nodes(store, project, wanted)


def _same_region(zones: tuple[str, ...], location: str) -> None:
    for zone in zones:
        if not zone.startswith(location) and zone.rpartition("-")[0] != location.rpartition("-")[0]:
            raise bad_request(f'Zone "{zone}" is not in the region of the cluster ("{location}").')


def service_account(store: Store, config: Json, project: str) -> None:
    """Check that the nodes' service account exists, if it belongs to the project."""
    email = config.get("serviceAccount") or "default"
    own = f"@{project}.iam.gserviceaccount.com"
    if email.endswith(own) and f"iam/projects/{project}/serviceAccounts/{email}" not in store:
        raise bad_request(f'Service account "{email}" does not exist.')


def _pod_range(store: Store, pool: Json) -> None:
    """Set the address block of the pool's own pod range, if it names one."""
    network: Json = pool["networkConfig"]
    named = network.get("podRange")
    subnetwork = store.get(f"compute/{network['subnetwork']}") or {}
    found = {r["rangeName"]: r["ipCidrRange"] for r in subnetwork.get("secondaryIpRanges") or []}
    if named in found:
        network["podIpv4CidrBlock"] = found[named]
    elif named and not network.get("podIpv4CidrBlock"):
        raise bad_request(f'Pod secondary range "{named}" does not exist.')
