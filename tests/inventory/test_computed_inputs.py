"""Keys that no shipped file sets: set, and taken out again, they leave no value behind.

`test_optional_keys` does the same with the keys that the files have.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from declared import run_layer, stack_config
from tests.inventory.computed_inputs import CLUSTER, POOL, computed, vanished
from tests.inventory.test_optional_keys import BY_NAME, upstream, whole

KMS = "projects/acme-ml-dev/locations/europe-west4/keyRings/keys/cryptoKeys/disks"
PLANE = {
    "private_endpoint": True,
    "authorized_networks": [{"name": "office", "cidr": "203.0.113.0/24"}],
    "security_group": "gke-security-groups@acme.example",
    "maintenance": {
        "start": "2026-01-03T02:00:00Z",
        "end": "2026-01-03T08:00:00Z",
        "exclusions": [
            {
                "name": "launch",
                "start": "2026-12-01T00:00:00Z",
                "end": "2026-12-08T00:00:00Z",
                "scope": "NO_MINOR_UPGRADES",
            }
        ],
    },
    "secrets_encryption": {"rotation_days": 30, "destroy_after_days": 7, "protection": "hsm"},
    "backup": {"retain_days": 7, "secrets": False, "volumes": False, "key": KMS},
    "notifications": {"events": ["UPGRADE_EVENT"], "retain_days": 3},
    "binary_authorization": True,
    "security_posture": False,
    "vulnerability_scanning": True,
    "intranode_visibility": True,
    "cost_allocation": False,
    "dns_cache": False,
    "internal_load_balancer_subsetting": False,
    "managed_prometheus": False,
    "gateway_api": False,
    "secret_sync": True,
    "filestore_csi_driver": True,
    "logs": ["SYSTEM_COMPONENTS"],
    "metrics": ["SYSTEM_COMPONENTS"],
    "auto_provisioning": {"cpu": 64, "memory_gb": 256, "gpus": {"nvidia-l4": 4}},
}
POOLS = (
    {
        "zones": ["europe-west4-a"],
        "disk_type": "pd-ssd",
        "local_ssd_count": 1,
        "image_streaming": False,
        "boot_disk_kms_key": KMS,
        "max_pods_per_node": 32,
        "labels": {"workload": "batch"},
        "taints": [{"key": "dedicated"}],
        "blue_green": {"batch_percent": 50},
        "spot": False,
        "reservation": "mine",
    },
    {"max_surge": 2, "max_unavailable": 1, "spot": True, "disk_size_gb": 200},
    {"flex_start": True, "min_nodes": 0, "spot": False},
)
NETWORKING = (
    {
        "backends": {
            "session_affinity": "CLIENT_IP",
            "request_headers": {"X-Client": "{client_region}"},
            "response_headers": {"X-Served": "yes"},
            "outlier_detection": {"interval_seconds": 5, "most_percent": 20},
        },
        "probes": {"interval_seconds": 7, "healthy_after": 3},
        "static_files": {
            "versioning": False,
            "retention_days": 7,
            "cdn": True,
            "cache": {"mode": "CACHE_ALL_STATIC", "default_seconds": 60, "stale_seconds": 30},
            "public": True,
        },
        "armor": {
            "adaptive_protection": True,
            "deny": ["198.51.100.0/24"],
            "json_parsing": True,
        },
        "dns": {"domain": "dev.acme.example", "ttl_seconds": 60},
    },
    {"static_files": {"cdn": False}},
)


def with_values(key: str, values: Mapping[str, Any]) -> dict[str, str]:
    """Dev's keys, with values added to one key, or to the last entry of a list."""
    config = stack_config("dev")
    found = json.loads(config[key])
    if isinstance(found, list):
        found[-1] |= values
    else:
        found |= values
    return config | {key: json.dumps(found)}


@pytest.mark.parametrize(
    ("key", "values"),
    [
        *(
            ("gke-cluster:cluster", {name: value})
            for name, value in PLANE.items()
            if name not in {"private_endpoint", "managed_prometheus"}
        ),
        *(
            ("gke-cluster:cluster", {name: PLANE[name] for name in together})
            for together in (
                ("private_endpoint", "authorized_networks"),
                ("managed_prometheus", "metrics"),
            )
        ),
        *(("gke-cluster:node_pools", values) for values in POOLS),
    ],
    ids=lambda one: "-".join(one) if isinstance(one, dict) else "",
)
def test_a_key_that_is_taken_out_leaves_no_value_behind(
    key: str, values: Mapping[str, Any]
) -> None:
    edited = run_layer(BY_NAME["cluster"], "dev", {}, with_values(key, values))
    assert vanished(edited, whole("dev", "cluster")) == {}


@pytest.mark.parametrize("values", NETWORKING)
def test_networking_keys_leave_no_value_behind(values: Mapping[str, Any]) -> None:
    config = stack_config("dev") | {
        f"gke-networking:{name}": json.dumps(value) for name, value in values.items()
    }
    edited = run_layer(BY_NAME["networking"], "dev", upstream("dev", "networking", {}), config)
    assert vanished(edited, whole("dev", "networking")) == {}


def test_the_provider_s_own_inputs_are_known() -> None:
    assert {"nodeLocations", "clusterAutoscaling", "authenticatorGroupsConfig"} <= computed(CLUSTER)
    assert {"nodeLocations", "nodeConfig.gcfsConfig", "upgradeSettings"} <= computed(POOL)
