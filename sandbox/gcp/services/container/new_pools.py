"""A node pool that is about to be: checked, completed, with its first nodes."""

from __future__ import annotations

import uuid

from sandbox.gcp.services.container import checks, pool_defaults, pool_ways
from sandbox.gcp.services.container.failures import bad_request
from sandbox.gcp.services.container.form import Json, without
from sandbox.gcp.services.container.render import PoolRecord
from sandbox.gcp.store import Store

_DEFAULT_NAME = "default-pool"


def of_new_cluster(asked: Json) -> list[Json]:
    """Return the pools that a new cluster begins with: those it names, or one of its own."""
    given: list[Json] = list(asked.get("nodePools") or [])
    if given:
        return given
    return [
        {
            "name": _DEFAULT_NAME,
            "config": asked.get("nodeConfig") or {},
            "initialNodeCount": int(asked.get("initialNodeCount") or 1),
        }
    ]


def record(store: Store, cluster: Json, asked: Json, project: str) -> PoolRecord:
    """Return the record of a new pool, or refuse it."""
    checks.name("node_pool", asked.get("name"))
    config: Json = asked.get("config") or {}
    zones = tuple(asked.get("locations") or cluster["locations"])
    if asked.get("locations"):
        checks.node_locations(list(zones), zones[0].rpartition("-")[0])
        _same_region(zones, cluster["location"])
    channel = (cluster.get("releaseChannel") or {}).get("channel") or "UNSPECIFIED"
    checks.node_config(config, zones)
    checks.confidential(cluster, config)
    checks.autoscaling(asked.get("autoscaling") or {})
    management = asked.get("management") or {}
    if pool_ways.is_scarce(asked):
        management = management | {"autoRepair": True}  # off there, and must be
    checks.management(management, channel)
    pool_ways.check(asked, zones)
    checks.max_pods((asked.get("maxPodsConstraint") or {}).get("maxPodsPerNode"))
    count = int(asked.get("initialNodeCount") or 0)
    checks.node_count(count)
    version = checks.node_version(
        asked.get("version") or "", master=cluster["currentMasterVersion"], in_channel=channel
    )
    service_account(store, config, project)
    pool = pool_defaults.pool(asked, cluster=cluster, version=version, etag=str(uuid.uuid4()))
    _pod_range(store, pool)
    return {"pool": without(pool, "instanceGroupUrls"), "sizes": dict.fromkeys(zones, count)}


def _same_region(zones: tuple[str, ...], location: str) -> None:
    for zone in zones:
        if not zone.startswith(location) and zone.rpartition("-")[0] != location.rpartition("-")[0]:
            raise bad_request(f'Zone "{zone}" is not in the region of the cluster ("{location}").')


def service_account(store: Store, config: Json, project: str) -> None:
    """Check that the nodes' service account exists, where it is one of the project's own."""
    email = config.get("serviceAccount") or "default"
    own = f"@{project}.iam.gserviceaccount.com"
    if email.endswith(own) and f"iam/projects/{project}/serviceAccounts/{email}" not in store:
        raise bad_request(f'Service account "{email}" does not exist.')


def _pod_range(store: Store, pool: Json) -> None:
    """Fill in the pool's own range of pods, where it names one."""
    network: Json = pool["networkConfig"]
    named = network.get("podRange")
    subnetwork = store.get(f"compute/{network['subnetwork']}") or {}
    found = {r["rangeName"]: r["ipCidrRange"] for r in subnetwork.get("secondaryIpRanges") or []}
    if named in found:
        network["podIpv4CidrBlock"] = found[named]
    elif named and not network.get("podIpv4CidrBlock"):
        raise bad_request(f'Pod secondary range "{named}" does not exist.')
