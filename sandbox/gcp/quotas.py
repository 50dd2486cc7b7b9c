"""A project's Compute Engine quotas: limits, usage, and the refusal of what exceeds them.

Usage is counted from the emulator's documents. Limits are set by `PUT /sandbox/v1/quotas`. Sources
of the names: the compute v1 discovery document; of the texts: reported answers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from facts import quotas as facts
from facts.machines import machine_type
from facts.quotas import GLOBAL, Demand, Metric
from facts.zones import is_region, region_of
from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError
from sandbox.gcp.quota_limits import default_limits
from sandbox.gcp.store import Store

_COLLECTIONS = {
    "backendBuckets": "BACKEND_BUCKETS",
    "firewalls": "FIREWALLS",
    "healthChecks": "HEALTH_CHECKS",
    "httpHealthChecks": "HEALTH_CHECKS",
    "httpsHealthChecks": "HEALTH_CHECKS",
    "networks": "NETWORKS",
    "routers": "ROUTERS",
    "sslCertificates": "SSL_CERTIFICATES",
    "sslPolicies": "SSL_POLICIES",
    "subnetworks": "SUBNETWORKS",
    "targetHttpProxies": "TARGET_HTTP_PROXIES",
    "targetHttpsProxies": "TARGET_HTTPS_PROXIES",
    "targetPools": "TARGET_POOLS",
    "targetSslProxies": "TARGET_SSL_PROXIES",
    "targetTcpProxies": "TARGET_TCP_PROXIES",
    "urlMaps": "URL_MAPS",
}
"""Collections whose members count as one each against a quota of the project."""
_MIXED = (
    "addresses",
    "backendServices",
    "forwardingRules",
    "networkEndpointGroups",
    "securityPolicies",
)


def limit(store: Store, project: str, metric: Metric) -> float | None:
    """The limit of a quota; None where the Compute API has no such quota there."""
    known = default_limits(metric.region)
    if metric.name not in known:
        return None
    document = store.get(_key(project, metric.region)) or {}
    return float(document.get(metric.name, known[metric.name]))


def set_limit(store: Store, project: str, metric: Metric, value: float) -> None:
    """Set a limit. Raises ValueError for a quota that there is not."""
    if metric.region and not is_region(metric.region):
        raise ValueError(f"there is no region {metric.region}")
    if metric.name not in default_limits(metric.region):
        raise ValueError(f"there is no quota {metric.name} {metric.where}")
    key = _key(project, metric.region)
    store.put(key, {**(store.get(key) or {}), metric.name: value})


def shown(store: Store, project: str, region: str = GLOBAL) -> list[Json]:
    """The `quotas` of a region, or of the project."""
    used = usage(store, project)
    return [
        {
            "limit": limit(store, project, Metric(name, region)),
            "metric": name,
            "usage": float(used[Metric(name, region)]),
        }
        for name in default_limits(region)
    ]


def usage(store: Store, project: str) -> Demand:
    """What the project's resources count as."""
    found: Demand = Counter()
    for _, record in store.below(f"container/projects/{project}/locations"):
        for pool in record.get("pools") or ():
            if isinstance(pool, dict):
                found += of_pool(pool["pool"], pool["sizes"])
    for key in store.bodies(f"compute/projects/{project}/"):
        scope, _, collection = _parts(key)
        if collection in _COLLECTIONS:
            found[Metric(_COLLECTIONS[collection])] += 1
        elif collection in ("instanceGroups", "instanceGroupManagers"):
            name = (
                "INSTANCE_GROUPS" if collection == "instanceGroups" else "INSTANCE_GROUP_MANAGERS"
            )
            found[Metric(name, _region(scope))] += 1
        elif collection in _MIXED:
            found += _of_mixed(scope, collection, store.get(key) or {})
    return _settled(store, project, found)


def of_pool(pool: Json, sizes: dict[str, int]) -> Demand:
    """What a node pool's nodes count as, by their number in each zone."""
    config: Json = pool["config"]
    machine = machine_type(config.get("machineType") or "")
    found: Demand = Counter()
    if machine is None:
        return found
    gpus: Json = next(iter(config.get("accelerators") or []), {})
    ssds = (config.get("ephemeralStorageLocalSsdConfig") or {}).get("localSsdCount")
    for zone, size in sizes.items():
        node = facts.of_node(
            facts.Node(
                machine=machine,
                region=region_of(zone),
                gpu=str(gpus.get("acceleratorType") or ""),
                gpus=int(gpus.get("acceleratorCount") or 0),
                spot=bool(config.get("spot") or config.get("preemptible")),
                disk=str(config.get("diskType") or ""),
                disk_gb=int(config.get("diskSizeGb") or 0),
                local_ssds=int(ssds or config.get("localSsdCount") or 0),
                is_public=not (pool.get("networkConfig") or {}).get("enablePrivateNodes"),
            )
        )
        for metric, amount in node.items():
            found[metric] += amount * size
    return found


def refuse_resource(store: Store, project: str, scope: str, collection: str, body: Json) -> None:
    """Raise 403 where one more resource of a collection exceeds a quota."""
    if collection in _COLLECTIONS:
        wanted: Demand = Counter({Metric(_COLLECTIONS[collection]): 1})
    elif collection in _MIXED:
        wanted = _of_mixed(scope, collection, body)
    else:
        return
    for metric, short in exceeded(store, project, wanted):
        raise ApiError(403, exceeded_text(metric, short[1]), reason="quotaExceeded")


def refuse_nodes(store: Store, project: str, wanted: Demand) -> None:
    """Raise 403 where new nodes exceed a quota, as Kubernetes Engine does."""
    lines = []
    for metric, (needed, most, used) in exceeded(store, project, wanted):
        scope = "regional" if metric.region else "global"
        free = max(0.0, most - used)
        lines.append(
            f'insufficient {scope} quota to satisfy request: resource "{metric.name}": request '
            f"requires '{needed:.1f}' and is short '{needed - free:.1f}'. project has a quota of "
            f"'{most:.1f}' with '{free:.1f}' available. View and manage quotas at "
            f"https://console.cloud.google.com/iam-admin/quotas?usage=USED&project={project}"
        )
    if len(lines) == 1:
        raise ApiError(403, f"{lines[0][0].upper()}{lines[0][1:]}.")
    if lines:
        listed = "".join(f"\n\t({index}) {line}" for index, line in enumerate(lines, 1))
        raise ApiError(403, f"{listed}.")


def exceeded(
    store: Store, project: str, wanted: Demand
) -> Iterator[tuple[Metric, tuple[float, float, float]]]:
    """The quotas that a demand exceeds, with what is needed, the limit and the usage."""
    if not wanted:
        return
    used = usage(store, project)
    for metric, needed in sorted(_settled(store, project, wanted).items()):
        most = limit(store, project, metric)
        if needed and most is not None and used[metric] + needed > most:
            yield metric, (float(needed), most, float(used[metric]))


def exceeded_text(metric: Metric, most: float) -> str:
    """Google's message."""
    return f"Quota '{metric.name}' exceeded.  Limit: {most:.1f} {metric.where}."


def _of_mixed(scope: str, collection: str, body: Json) -> Demand:
    """What counts against a quota that depends on the resource's scope or scheme."""
    region = _region(scope)
    scheme = str(body.get("loadBalancingScheme") or "EXTERNAL")
    if collection == "networkEndpointGroups":
        return Counter({Metric("NETWORK_ENDPOINT_GROUPS", region): 1} if region else {})
    if collection in ("addresses", "securityPolicies"):
        if collection == "securityPolicies":
            name = "SECURITY_POLICIES_PER_REGION" if region else "SECURITY_POLICIES"
        elif body.get("addressType") != "INTERNAL":
            name = "STATIC_ADDRESSES"
        else:
            name = "INTERNAL_ADDRESSES" if region else "GLOBAL_INTERNAL_ADDRESSES"
        return Counter({Metric(name, region): 1})
    if region:
        is_rule = collection == "forwardingRules" and scheme == "EXTERNAL"
        return Counter(
            {Metric("EXTERNAL_NETWORK_LB_FORWARDING_RULES", region): 1} if is_rule else {}
        )
    if collection == "forwardingRules":
        is_managed = scheme == "EXTERNAL_MANAGED"
        name = "GLOBAL_EXTERNAL_MANAGED_FORWARDING_RULES" if is_managed else "FORWARDING_RULES"
        return Counter({Metric(name): 1})
    kinds = {"EXTERNAL_MANAGED": "GLOBAL_EXTERNAL_MANAGED", "EXTERNAL": "GLOBAL_EXTERNAL_PROXY_LB"}
    kind = kinds.get(scheme)
    return Counter({Metric(f"{kind}_BACKEND_SERVICES" if kind else "BACKEND_SERVICES"): 1})


def _settled(store: Store, project: str, demand: Demand) -> Demand:
    found: Demand = Counter()
    for metric, amount in demand.items():
        most = limit(store, project, metric)
        found[metric.settled({(metric.region, metric.name): most or 0.0})] += amount
    return found


def _parts(key: str) -> tuple[str, str, str]:
    """Scope, name and collection of the key of a compute document."""
    parts = key.split("/")
    if len(parts) == 6 and parts[3] == "global":
        return "global", parts[5], parts[4]
    if len(parts) == 7:
        return f"{parts[3]}/{parts[4]}", parts[6], parts[5]
    return "", "", ""


def _region(scope: str) -> str:
    kind, _, name = scope.partition("/")
    return region_of(name) if kind == "zones" else name


def _key(project: str, region: str) -> str:
    return f"quotas/projects/{project}/{region or 'global'}"
