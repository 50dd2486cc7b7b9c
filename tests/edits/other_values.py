"""Another value for a key: from its type where that can tell, else from the tables here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import inspect

from tests.edits import outside
from tests.edits.fields import Key
from tests.edits.more_values import MORE, REMOVED, RESOURCES, With

_QUANTITY = re.compile(r"^(\d+(?:\.\d+)?)(m|[KMGT]i?)?$")
_NUMBER = inspect.IntType | inspect.FloatType

_ARMOR = (
    "gke-networking:armor",
    "gke-serving:gateway.armor",
    "gke-serving:inference_gateway.armor",
)
_EXCLUSION = {"rule_set": "sqli", "fields": [{"kind": "cookie", "value": "session"}]}
_OF_ARMOR: Mapping[str, list[Any]] = {
    "deny": [["198.51.100.0/24"]],
    "allow": [["203.0.113.0/24"]],
    "exclusions": [[_EXCLUSION]],
    "exclusions[].rule_set": ["xss"],
    "exclusions[].fields": [[{"kind": "header", "value": "X-Edited"}]],
    "exclusions[].fields[].value": ["edited"],
    "exclusions[].paths": [["/v1"]],
}
BY_PATH: Mapping[str, list[Any]] = {
    "gke-cluster:network.pods_cidr": ["10.96.0.0/14"],
    "gke-cluster:network.services_cidr": ["10.90.0.0/20"],
    "gke-cluster:network.proxies_cidr": ["10.250.0.0/23"],
    "gke-cluster:cluster.control_plane_cidr": ["172.16.1.0/28"],
    "gke-cluster:cluster.control_plane_zone": ["europe-west4-a"],
    "gke-cluster:cluster.authorized_networks": [[{"name": "office", "cidr": "198.51.100.0/25"}]],
    "gke-cluster:cluster.security_group": ["gke-security-groups@acme.example"],
    "gke-cluster:cluster.zones": [["europe-west4-a", "europe-west4-b", "europe-west4-c"]],
    "gke-cluster:cluster.maintenance": [
        {"start": "2026-01-03T02:00:00Z", "end": "2026-01-03T08:00:00Z"}
    ],
    "gke-cluster:cluster.maintenance.start": ["2026-01-03T01:00:00Z"],
    "gke-cluster:cluster.maintenance.end": ["2026-01-03T09:00:00Z"],
    "gke-cluster:cluster.maintenance.recurrence": ["FREQ=DAILY"],
    "gke-cluster:cluster.maintenance.exclusions": [
        [{"name": "peak", "start": "2026-12-20T00:00:00Z", "end": "2026-12-27T00:00:00Z"}]
    ],
    "gke-cluster:cluster.maintenance.exclusions[].start": ["2026-12-21T00:00:00Z"],
    "gke-cluster:cluster.maintenance.exclusions[].end": ["2026-12-26T00:00:00Z"],
    "gke-cluster:cluster.secrets_encryption": [{}],
    "gke-cluster:cluster.backup": [{}],
    "gke-cluster:cluster.backup.schedule": ["0 4 * * *"],
    "gke-cluster:cluster.backup.region": ["europe-west1"],
    "gke-cluster:cluster.notifications": [{}],
    "gke-cluster:cluster.auto_provisioning": [{"cpu": 64, "memory_gb": 256}],
    "gke-cluster:cluster.auto_provisioning.gpus": [{"nvidia-l4": 4}, {"nvidia-l4": 2}],
    "gke-cluster:node_pools[].machine_type": ["n2-standard-16"],
    "gke-cluster:node_pools[].accelerator": [
        {"type": "nvidia-tesla-t4", "count": 1},
        {"type": "nvidia-l4", "count": 1, "driver": "latest"},
    ],
    "gke-cluster:node_pools[].accelerator.sharing": [{"strategy": "TIME_SHARING", "clients": 4}],
    "gke-cluster:node_pools[].reservation": ["held"],
    "gke-cluster:node_pools[].zones": [["europe-west4-a"]],
    "gke-cluster:node_pools[].taints": [[{"key": "edited", "effect": "PREFER_NO_SCHEDULE"}], []],
    "gke-cluster:node_pools[].taints[].key": ["edited"],
    "gke-cluster:node_pools[].taints[].value": ["edited"],
    "gke-cluster:node_pools[].blue_green": [{}],
    "gke-cluster:node_pools[].local_ssd_count": [1, 2],
    "gke-platform:language_models": [{"first_token_milliseconds": 5000}],
    "gke-platform:language_models.prices": [{"pools": {"serving": 0.4}}],
    "gke-platform:language_models.prices.pools": [{"serving": 0.5}],
    "gke-platform:language_models.prices.currency": ["EUR"],
    "gke-serving:models[].exposure(load-balancer).source_ranges": [["198.51.100.0/24"]],
    "gke-serving:models[].exposure(http-load-balancer).retries": [{"attempts": 3}],
    "gke-serving:models[].exposure(http-load-balancer).iap": [
        {"members": ["group:ml@acme.example"]}
    ],
    "gke-serving:models[].exposure(http-load-balancer).backend": ["network-endpoint-groups"],
    "gke-serving:models[].exposure(http-load-balancer).rewrites": [
        {"/v1/models/edited": "/v1/models/resnet"}
    ],
    "gke-serving:models[].exposure(ingress).path": ["/edited"],
    "gke-serving:models[].exposure(ingress).max_body": ["16m"],
    "gke-serving:models[].exposure(gateway).path": ["/edited"],
    "gke-serving:models[].exposure(gateway).rewrite": ["/edited"],
    "gke-serving:models[].source": ["gs://acme-ml-dev-models/edited"],
    "gke-serving:models[].canary": [
        {
            "weights": {"stable": 90, "canary": 10},
            "source": "gs://acme-ml-dev-models/next",
            "replicas": {"min": 2, "max": 3},
        }
    ],
    "gke-serving:models[].canary.source": ["gs://acme-ml-dev-models/edited"],
    "gke-serving:models[].canary.weights": [{"stable": 80, "canary": 20}],
    "gke-serving:models[].import": [{"from": "hf://acme/edited", "revision": "1" * 40}],
    "gke-serving:models[].import.from": ["hf://acme/other"],
    "gke-serving:models[].import.revision": ["2" * 40],
    "gke-serving:models[].import.include": [["*.onnx"]],
    "gke-serving:models[].import.exclude": [["original/*"]],
    "gke-serving:models[].files": [{"via": "gcs-fuse"}, {"via": "download", "size": "6Gi"}],
    "gke-serving:models[].files(download).size": ["6Gi"],
    "gke-serving:models[].files(cache).storage_class": ["standard-rwx"],
    "gke-serving:models[].shared_memory": ["128Mi"],
    "gke-serving:models[].temporary_storage": ["2Gi"],
    "gke-serving:models[].environment": [{"EDITED": "yes"}],
    "gke-serving:models[].served_name": ["edited"],
    "gke-serving:models[].priority": ["interactive", "background", REMOVED],
    "gke-serving:models[].node_pool": ["serving", REMOVED],
    "gke-serving:models[].disruption": [{"max_unavailable": "50%"}, {"max_unavailable": 2}],
    "gke-serving:models[].pod.annotations": [{"edited.example/yes": "yes"}],
    "gke-serving:models[].pod.labels": [{"edited.example/yes": "yes"}],
    "gke-serving:models[].pod": [{"annotations": {"edited.example/yes": "yes"}}],
    "gke-serving:models[].autoscaling.scale_up": [[{"every_seconds": 30, "pods": 2}]],
    "gke-serving:models[].autoscaling.scale_down": [[{"every_seconds": 30, "pods": 2}]],
    "gke-serving:models[].arguments": [["--edited=1"]],
    "gke-serving:namespace": ["edited"],
    "gke-serving:teams[].callers": [["edited"]],
    "gke-serving:priority_classes": [{"interactive": 1000, "background": -10, "edited": 5}],
    "gke-serving:shared_buckets": [["acme-shared-models"]],
    "gke-serving:ingress.class_name": ["edited"],
    "gke-serving:ingress.controller.source_ranges": [["198.51.100.0/24"]],
    "gke-serving:postgres.clusters[].backups.schedule": ["0 2 * * *"],
    "gke-serving:postgres.clusters[].parameters": [{"work_mem": "8MB"}],
    "gke-serving:postgres.namespace": ["databases"],
    "gke-networking:backends.outlier_detection": [{}],
    "gke-networking:backends.request_headers": [{"X-Edited": "yes"}],
    "gke-networking:backends.response_headers": [{"X-Edited": "yes"}],
    "gke-networking:armor": [
        {"rate_limit": {"requests": 1000, "interval_seconds": 60}, "adaptive_protection": True}
    ],
    "gke-serving:gateway.armor": [{"rate_limit": {"requests": 1000}}],
    "gke-serving:inference_gateway.armor": [{"rate_limit": {"requests": 1000}}],
    **{f"{place}.{key}": values for place in _ARMOR for key, values in _OF_ARMOR.items()},
    "gke-networking:iap": [{"members": ["group:ml@acme.example"]}],
    "gke-networking:domains": [
        [
            {"name": "models.dev.acme.example"},
            {"name": "translate.dev.acme.example"},
            {"name": "edited.dev.acme.example", "certificate": "none"},
        ]
    ],
    "gke-networking:certificates": [REMOVED],
    "gke-networking:dns": [REMOVED],
    "gke-networking:https.ssl_policy": [{"min_tls": "TLS_1_2", "profile": "RESTRICTED"}],
    "gke-networking:dns.zone": ["acme-example"],
    "gke-cluster:cluster.secrets_encryption.key": [outside.key("secrets")],
    "gke-cluster:cluster.secrets_encryption.rotation_days": [60],
    "gke-cluster:cluster.backup.key": [outside.key("backups")],
    "gke-cluster:node_pools[].boot_disk_kms_key": [outside.key("disks")],
    "gke-cluster:cluster.authorized_networks[].name": ["edited"],
    "gke-cluster:cluster.authorized_networks[].cidr": ["198.51.100.0/25"],
    "gke-cluster:cluster.maintenance.exclusions[].name": ["edited"],
    "gke-cluster:node_pools[].name": ["edited"],
    "gke-serving:models[].name": ["edited"],
    "gke-serving:models[].server": ["triton", "tensorflow-serving"],
    "gke-serving:models[].exposure": [{"kind": "cluster-ip"}],
    "gke-serving:models[].replicas": [{"min": 2, "max": 8}],
    "gke-serving:models[].exposure(http-load-balancer).paths": [["/v1/models/resnet", "/resnet"]],
    "gke-serving:models[].exposure(ingress).hosts": [["edited.dev.acme.example"]],
    "gke-serving:models[].exposure(http-load-balancer).tests": [
        [{"url": "http://models.dev.acme.example/v1/models/resnet", "expect": {"model": "resnet"}}]
    ],
    "gke-serving:models[].exposure(http-load-balancer).iap.members": [
        ["group:edited@acme.example"]
    ],
    "gke-serving:models[].exposure(gateway).iap.members": [["group:edited@acme.example"]],
    "gke-serving:models[].exposure(gateway).security_policy": [outside.ARMOR],
    "gke-serving:inference_gateway": [{"managed_certificates": True, "log_sample_rate": 0.5}],
    "gke-serving:inference_gateway.certificates": [[outside.CERTIFICATE]],
    "gke-serving:inference_gateway.managed_certificates": [
        With(REMOVED, {"certificates": [outside.CERTIFICATE]})
    ],
    "gke-serving:models[].canary.image": ["nvcr.io/nvidia/tritonserver@sha256:" + "0" * 64],
    "gke-serving:models[].canary.arguments": [["--edited=1"]],
    "gke-serving:models[].image": ["tensorflow/serving@sha256:" + "0" * 64],
    "gke-serving:models[].pod.user": [2000],
    "gke-serving:models[].pod.group": [2000],
    "gke-serving:models[].pod.fs_group": [2000],
    "gke-serving:models[].pod.image_pull_secrets": [["registry"]],
    "gke-serving:models[].pod.writable": [{"/edited": "1Gi"}],
    "gke-serving:models[].pod.volumes": [
        [{"name": "more", "empty_dir": "1Gi", "mount_path": "/more"}]
    ],
    "gke-serving:models[].pod.volumes[].name": ["edited"],
    "gke-serving:models[].pod.volumes[].mount_path": ["/edited"],
    "gke-serving:models[].postgres.user": ["recommender"],
    "gke-serving:models[].postgres.database": ["features"],
    "gke-serving:models[].spread.zones": ["preferred"],
    "gke-serving:teams": [[{"name": "vision", "quota": {"cpu": "9", "memory": "40Gi"}}]],
    "gke-serving:teams[].name": ["edited"],
    "gke-serving:postgres.clusters[].users": [{"recommender": [], "edited": []}],
    "gke-serving:postgres.clusters[].databases": [
        {"features": "recommender", "edited": "recommender"}
    ],
    "gke-networking:iap.members": [["group:edited@acme.example"]],
    "gke-networking:certificates[](google-managed).name": ["edited"],
    "gke-networking:certificates[](google-managed).domains": [
        ["models.dev.acme.example", "translate.dev.acme.example", "edited.dev.acme.example"]
    ],
    "gke-networking:certificates[](certificate-manager).name": ["edited"],
    "gke-networking:certificates[](certificate-manager).domains": [
        ["stage.acme.example", "*.stage.acme.example", "edited.stage.acme.example"]
    ],
    "gke-networking:domains[].name": ["edited.stage.acme.example"],
    "gke-platform:notifications": [[], REMOVED],
    "gke-platform:notifications[](email).name": ["edited"],
    "gke-platform:notifications[](email).address": ["edited@acme.example"],
    "gke-platform:uptime_check.skip": [["resnet"]],
    "gke-platform:objectives.models": [{"resnet": {"availability": 0.9}}],
    "gke-platform:budget.currency": ["USD"],
    "gke-platform:budget.thresholds": [[0.4, 0.8]],
    "gke-platform:budget.forecast_thresholds": [[0.9]],
    "gke-platform:budget.billing_account": ["01ACE0-01ACE0-01ACE1"],
}

_SCALE = [{"every_seconds": 30, "pods": 2}]
PARENTS: Mapping[str, Any] = {
    "gke-platform:language_models.prices": {"pools": {"serving": 0.4}},
    "gke-cluster:cluster.authorized_networks": [{"name": "office", "cidr": "198.51.100.0/24"}],
    "gke-cluster:cluster.maintenance.exclusions": BY_PATH[
        "gke-cluster:cluster.maintenance.exclusions"
    ][0],
    "gke-cluster:node_pools[].accelerator.sharing": {"strategy": "TIME_SHARING", "clients": 4},
    "gke-cluster:node_pools[].taints": [{"key": "edited", "effect": "PREFER_NO_SCHEDULE"}],
    "gke-serving:models[].exposure.iap": {"members": ["group:a@acme.example"]},
    "gke-serving:models[].autoscaling.scale_up": _SCALE,
    "gke-serving:models[].autoscaling.scale_down": _SCALE,
    "gke-serving:models[].pod.volumes": [
        {"name": "more", "empty_dir": "1Gi", "mount_path": "/more"}
    ],
    "gke-serving:models[].canary": BY_PATH["gke-serving:models[].canary"][0],
    "gke-serving:models[].import": BY_PATH["gke-serving:models[].import"][0],
    "gke-serving:teams[].container_default": {"cpu": "250m", "memory": "256Mi"},
    "gke-networking:iap": {"members": ["group:a@acme.example"]},
    "gke-serving:models[].exposure.picker.resources": RESOURCES,
    "gke-serving:inference_gateway.router.resources": RESOURCES,
    **{f"{place}.exclusions": [_EXCLUSION] for place in _ARMOR},
    "gke-networking:static_files.cache": {},
}
"""What a mapping or list that no environment has is, where a key within it is edited."""


def candidates(key: Key, present: Any) -> Iterator[Any]:
    """Other values, the likeliest first; some may be refused. `present` is None if there is none.

    A key whose type is a mapping of its own keys is taken out, where it may be.
    """
    told = (*MORE.get(str(key), ()), *BY_PATH.get(str(key), ()))
    yield from (one for one in told if one != present)
    now = key.default if present is None else present
    yield from (one for one in _of_type(key.type, now) if one != now)
    if present is not None and not key.required:
        yield REMOVED


def _of_type(info: inspect.Type, now: Any) -> Iterator[Any]:
    match info:
        case inspect.Metadata(type=inner):
            yield from _of_type(inner, now)
        case inspect.UnionType(types=types):
            for one in types:
                yield from _of_type(one, now)
        case inspect.BoolType():
            yield not now
        case inspect.LiteralType(values=values):
            yield from values
        case inspect.IntType() | inspect.FloatType():
            yield from _numbers(info, now)
        case inspect.VarTupleType(item_type=item) | inspect.ListType(item_type=item):
            if isinstance(now, list) and len(now) > 1:
                yield now[:-1]
            names = [one for one in _of_type(item, None) if isinstance(one, str)]
            yield from ([name] for name in names)
        case inspect.StrType():
            yield from _quantities(now)
        case inspect.DictType() if isinstance(now, dict) or now is None:
            yield {**(now or {}), "edited": "yes"}
        case _:
            return


def _numbers(info: _NUMBER, now: Any) -> Iterator[Any]:
    whole = isinstance(info, inspect.IntType)
    step: float = 1 if whole else 0.1
    if not isinstance(now, int | float):
        now = info.ge if info.ge is not None else 1
    for value in (now + step, now - step, now + 2 * step, now * 2):
        number = int(value) if whole else round(float(value), 3)
        if (info.ge is None or number >= info.ge) and (info.le is None or number <= info.le):
            yield number


def _quantities(now: Any) -> Iterator[Any]:
    """A little more, or less, of what Kubernetes counts in units, such as `250m`."""
    found = _QUANTITY.match(now) if isinstance(now, str) else None
    if not found:
        return
    number, unit = float(found[1]), found[2] or ""
    for factor in (1.5, 2, 0.5):
        if unit == "m" or (number * factor).is_integer():
            yield f"{number * factor:g}{unit}"
