"""Health checks of the load balancer, on the model's own path and port."""

import pulumi
from pulumi_gcp import compute

from gkeplatform.contracts import InstanceGroupBackend, NegBackend, Route
from gkeplatform.naming import Naming
from infra.networking.config import ProbeArgs


def health_check(
    name: str, args: ProbeArgs, *, route: Route, naming: Naming, opts: pulumi.ResourceOptions
) -> compute.HealthCheck:
    """The health check of one version."""
    return compute.HealthCheck(
        name,
        name=naming.of(name),
        check_interval_sec=args.interval_seconds,
        timeout_sec=args.timeout_seconds,
        healthy_threshold=args.healthy_after,
        unhealthy_threshold=args.unhealthy_after,
        http_health_check={
            "port_specification": "USE_FIXED_PORT",
            "port": port(route.backend),
            "request_path": route.probe_path,
        },
        log_config={"enable": True},
        opts=opts,
    )


def port(backend: NegBackend | InstanceGroupBackend) -> int:
    """The port that the load balancer connects to: of the pods, or of every node."""
    return backend.port if isinstance(backend, NegBackend) else backend.node_port
