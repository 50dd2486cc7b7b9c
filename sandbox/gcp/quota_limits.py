"""The limits of a project's Compute Engine quotas, unless they are set.

They are those of a project in production for which GPUs were asked for. A new project has fewer of
most, and no GPUs at all (GPUS_ALL_REGIONS is 0). Quotas that Google's answers have and the platform
cannot use are left out.
"""

from __future__ import annotations

from facts import quotas

_PROJECT_LIMITS = {
    "BACKEND_BUCKETS": 75,
    "BACKEND_SERVICES": 500,
    "CPUS_ALL_REGIONS": 2000,
    "FIREWALLS": 500,
    "FORWARDING_RULES": 375,
    "GLOBAL_EXTERNAL_MANAGED_BACKEND_SERVICES": 500,
    "GLOBAL_EXTERNAL_MANAGED_FORWARDING_RULES": 150,
    "GLOBAL_EXTERNAL_PROXY_LB_BACKEND_SERVICES": 500,
    "GLOBAL_INTERNAL_ADDRESSES": 5000,
    "GPUS_ALL_REGIONS": 64,
    "HEALTH_CHECKS": 1250,
    "IN_USE_ADDRESSES": 700,
    "NETWORKS": 50,
    "ROUTERS": 20,
    "SECURITY_POLICIES": 100,
    "SSL_CERTIFICATES": 250,
    "SSL_POLICIES": 100,
    "STATIC_ADDRESSES": 700,
    "SUBNETWORKS": 275,
    "TARGET_HTTPS_PROXIES": 250,
    "TARGET_HTTP_PROXIES": 250,
    "TARGET_POOLS": 500,
    "TARGET_SSL_PROXIES": 250,
    "TARGET_TCP_PROXIES": 250,
    "URL_MAPS": 250,
}
_REGION_LIMITS = {
    "DISKS_TOTAL_GB": 102400,
    "EXTERNAL_NETWORK_LB_FORWARDING_RULES": 150,
    "HDB_TOTAL_GB": 102400,
    "INSTANCES": 2000,
    "INSTANCE_GROUPS": 500,
    "INSTANCE_GROUP_MANAGERS": 500,
    "INTERNAL_ADDRESSES": 600,
    "IN_USE_ADDRESSES": 700,
    "LOCAL_SSD_TOTAL_GB": 100000,
    "NETWORK_ENDPOINT_GROUPS": 1000,
    "PREEMPTIBLE_CPUS": 0,
    "PREEMPTIBLE_LOCAL_SSD_GB": 0,
    "SECURITY_POLICIES_PER_REGION": 100,
    "SSD_TOTAL_GB": 102400,
    "STATIC_ADDRESSES": 700,
}
_CPUS, _GPUS, _TPUS = 1000, 32, 512


def default_limits(region: str) -> dict[str, float]:
    """The limits by metric: of any region, or of the project (`quotas.GLOBAL`)."""
    if not region:
        return dict(_PROJECT_LIMITS)
    return {name: _of_nodes(name) for name in quotas.metrics()} | _REGION_LIMITS


def _of_nodes(metric: str) -> float:
    if metric.endswith("CPUS"):
        return _CPUS
    return _GPUS if metric.endswith("_GPUS") else _TPUS
