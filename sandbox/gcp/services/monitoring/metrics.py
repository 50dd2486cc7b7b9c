"""Metric descriptors: kind, value type, labels and monitored resources.

The metrics of load balancers and uptime checks are complete: any other is refused. Other services
have only the metrics that a serving platform watches: for any other the answer is 501.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

NUMERIC = frozenset({"INT64", "DOUBLE"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric descriptor."""

    kind: str
    value: str
    resources: frozenset[str]
    labels: Mapping[str, str] = field(default_factory=dict)
    """Value type by label."""


_LB_RULE = ("https_lb_rule",)
_LB_LABELS = {
    "proxy_continent": "STRING",
    "cache_result": "STRING",
    "response_code": "INT64",
    "response_code_class": "INT64",
    "protocol": "STRING",
    "client_country": "STRING",
    "load_balancing_scheme": "STRING",
}
_CONTAINER = {"container_name", "namespace_name", "cluster_name", "pod_name", "location"}
RESOURCES: dict[str, frozenset[str]] = {
    "https_lb_rule": frozenset(
        [
            "project_id",
            "region",
            "forwarding_rule_name",
            "url_map_name",
            "target_proxy_name",
            "matched_url_path_rule",
            "backend_target_name",
            "backend_target_type",
            "backend_name",
            "backend_type",
            "backend_scope",
            "backend_scope_type",
            "network_name",
        ]
    ),
    "uptime_url": frozenset({"project_id", "host"}),
    "k8s_container": frozenset({"project_id", *_CONTAINER}),
    "k8s_pod": frozenset({"project_id", *_CONTAINER} - {"container_name"}),
    "k8s_node": frozenset({"project_id", "location", "cluster_name", "node_name"}),
    "k8s_cluster": frozenset({"project_id", "location", "cluster_name"}),
    "gce_instance": frozenset({"project_id", "instance_id", "zone"}),
    "pubsub_subscription": frozenset({"project_id", "subscription_id"}),
    "gcs_bucket": frozenset({"project_id", "location", "bucket_name"}),
    "global": frozenset({"project_id"}),
}
"""Labels by type of monitored resource."""


def _metrics(
    prefix: str, resources: tuple[str, ...], labels: Mapping[str, str], names: Mapping[str, str]
) -> dict[str, Metric]:
    found = {}
    for name, shape in names.items():
        kind, value = shape.split()
        found[f"{prefix}/{name}"] = Metric(
            kind=kind, value=value, resources=frozenset(resources), labels=labels
        )
    return found


METRICS: dict[str, Metric] = {
    **_metrics(
        "loadbalancing.googleapis.com/https",
        _LB_RULE,
        _LB_LABELS,
        {
            "request_count": "DELTA INT64",
            "request_bytes_count": "DELTA INT64",
            "response_bytes_count": "DELTA INT64",
            "total_latencies": "DELTA DISTRIBUTION",
            "frontend_tcp_rtt": "DELTA DISTRIBUTION",
            "backend_latencies": "DELTA DISTRIBUTION",
            "backend_request_count": "DELTA INT64",
            "backend_request_bytes_count": "DELTA INT64",
            "backend_response_bytes_count": "DELTA INT64",
        },
    ),
    **_metrics(
        "monitoring.googleapis.com/uptime_check",
        ("uptime_url", "gce_instance"),
        {"checker_location": "STRING", "check_id": "STRING", "checked_resource_id": "STRING"},
        {
            "check_passed": "GAUGE BOOL",
            "request_latency": "GAUGE DOUBLE",
            "content_mismatch": "GAUGE BOOL",
            "error_code": "GAUGE STRING",
            "http_status": "GAUGE INT64",
            "time_until_ssl_cert_expires": "GAUGE DOUBLE",
        },
    ),
    **_metrics(
        "kubernetes.io/container",
        ("k8s_container",),
        {"memory_type": "STRING"},
        {
            "cpu/core_usage_time": "CUMULATIVE DOUBLE",
            "cpu/limit_utilization": "GAUGE DOUBLE",
            "cpu/request_utilization": "GAUGE DOUBLE",
            "cpu/request_cores": "GAUGE DOUBLE",
            "memory/limit_utilization": "GAUGE DOUBLE",
            "memory/request_utilization": "GAUGE DOUBLE",
            "memory/used_bytes": "GAUGE INT64",
            "restart_count": "CUMULATIVE INT64",
            "uptime": "GAUGE DOUBLE",
            "accelerator/duty_cycle": "GAUGE INT64",
        },
    ),
    **_metrics(
        "kubernetes.io/node",
        ("k8s_node",),
        {},
        {
            "cpu/allocatable_utilization": "GAUGE DOUBLE",
            "memory/allocatable_utilization": "GAUGE DOUBLE",
            "status_condition": "GAUGE BOOL",
        },
    ),
    **_metrics(
        "compute.googleapis.com/instance",
        ("gce_instance",),
        {
            "device_name": "STRING",
            "device_type": "STRING",
            "instance_name": "STRING",
            "loadbalanced": "BOOL",
            "storage_type": "STRING",
        },
        {
            "cpu/guest_visible_vcpus": "GAUGE DOUBLE",
            "cpu/reserved_cores": "GAUGE DOUBLE",
            "cpu/scheduler_wait_time": "DELTA DOUBLE",
            "cpu/usage_time": "DELTA DOUBLE",
            "cpu/utilization": "GAUGE DOUBLE",
            "disk/read_bytes_count": "DELTA INT64",
            "disk/read_ops_count": "DELTA INT64",
            "disk/write_bytes_count": "DELTA INT64",
            "disk/write_ops_count": "DELTA INT64",
            "memory/balloon/ram_size": "GAUGE INT64",
            "memory/balloon/ram_used": "GAUGE INT64",
            "network/received_bytes_count": "DELTA INT64",
            "network/received_packets_count": "DELTA INT64",
            "network/sent_bytes_count": "DELTA INT64",
            "network/sent_packets_count": "DELTA INT64",
            "uptime": "DELTA DOUBLE",
            "uptime_total": "GAUGE INT64",
        },
    ),
    **_metrics(
        "agent.googleapis.com",
        ("gce_instance",),
        {
            "cpu_state": "STRING",
            "device": "STRING",
            "gpu_number": "STRING",
            "memory_state": "STRING",
            "model": "STRING",
            "state": "STRING",
            "uuid": "STRING",
        },
        {
            "agent/uptime": "CUMULATIVE INT64",
            "cpu/load_15m": "GAUGE DOUBLE",
            "cpu/load_1m": "GAUGE DOUBLE",
            "cpu/load_5m": "GAUGE DOUBLE",
            "cpu/utilization": "GAUGE DOUBLE",
            "disk/bytes_used": "GAUGE DOUBLE",
            "disk/percent_used": "GAUGE DOUBLE",
            "gpu/memory/bytes_used": "GAUGE DOUBLE",
            "gpu/utilization": "GAUGE DOUBLE",
            "memory/bytes_used": "GAUGE DOUBLE",
            "memory/percent_used": "GAUGE DOUBLE",
        },
    ),
    **_metrics(
        "pubsub.googleapis.com/subscription",
        ("pubsub_subscription",),
        {},
        {
            "num_undelivered_messages": "GAUGE INT64",
            "oldest_unacked_message_age": "GAUGE INT64",
        },
    ),
    **_metrics(
        "storage.googleapis.com",
        ("gcs_bucket",),
        {"storage_class": "STRING", "method": "STRING", "response_code": "STRING"},
        {"storage/total_bytes": "GAUGE DOUBLE", "api/request_count": "DELTA INT64"},
    ),
}

WHOLE = ("loadbalancing.googleapis.com/https/", "monitoring.googleapis.com/uptime_check/")
"""Prefixes whose metrics are all listed above."""
OWN = (
    "custom.googleapis.com/",
    "external.googleapis.com/",
    "logging.googleapis.com/user/",
    "prometheus.googleapis.com/",
    "workload.googleapis.com/",
)
"""Prefixes of metrics that users define: not checked."""
