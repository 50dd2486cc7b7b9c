"""Health checks of the load balancer, on the model's own path and port."""

import asyncio

import pulumi
from pulumi_gcp import compute

from gkeplatform.contracts import InstanceGroupBackend, NegBackend, Route
from infra.networking.config import ProbeArgs


def health_check(
    name: str, physical: str, args: ProbeArgs, *, route: Route, opts: pulumi.ResourceOptions
) -> compute.HealthCheck:
    """The health check of one version: HTTP on the model's path, else gRPC's health service."""
    number = route.probe_port or port(route.backend)
    grpc: compute.HealthCheckGrpcHealthCheckArgsDict | None = None
    http: compute.HealthCheckHttpHealthCheckArgsDict | None = None
    if route.probe_path is None:
        grpc = {"port_specification": "USE_FIXED_PORT", "port": number}
    else:
        http = {
            "port_specification": "USE_FIXED_PORT",
            "port": number,
            "request_path": route.probe_path,
        }
    return compute.HealthCheck(
        name,
        name=physical,
        check_interval_sec=args.interval_seconds,
        timeout_sec=args.timeout_seconds,
        healthy_threshold=args.healthy_after,
        unhealthy_threshold=args.unhealthy_after,
        grpc_health_check=grpc,
        http_health_check=http,
        log_config={"enable": True},
        opts=opts,
    )


def found_healthy(args: ProbeArgs) -> pulumi.ResourceHookBinding:
    """Waits after the creation of a backend service, until probes may have found it healthy.

    Before that its share of the requests would be answered 503. The engine does not wait in a
    preview, nor for what is unchanged.
    """
    seconds = args.interval_seconds * args.healthy_after + args.timeout_seconds

    async def wait(_: pulumi.ResourceHookArgs) -> None:
        await asyncio.sleep(seconds)

    return pulumi.ResourceHookBinding(
        after_create=[pulumi.ResourceHook("probes-find-it-healthy", wait)]
    )


def ports(route: Route) -> set[int]:
    """The ports that requests and health checks reach."""
    return {port(route.backend), route.probe_port or port(route.backend)}


def port(backend: NegBackend | InstanceGroupBackend) -> int:
    """The port that the load balancer connects to: of the pods, or of every node."""
    return backend.port if isinstance(backend, NegBackend) else backend.node_port
