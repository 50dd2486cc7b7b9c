"""Backend services: one per version of a model, over its pods or over instance groups."""

from collections.abc import Collection, Mapping
from typing import Any

import pulumi
from pulumi_gcp import compute

from gkeplatform.contracts import (
    InstanceGroup,
    InstanceGroupBackend,
    NegBackend,
    NetworkingContract,
    Route,
    ServedModel,
)
from gkeplatform.naming import Naming
from infra.networking import moved_backends
from infra.networking.config import BackendArgs, NetworkingConfig
from infra.networking.endpoint_groups import group_name
from infra.networking.health_checks import found_healthy, health_check
from infra.networking.iap import grant_access, iap_config, members_of

SCHEME = "EXTERNAL_MANAGED"
"""The global external Application Load Balancer. All its parts must have the same scheme."""

PROTOCOLS = {"http": "HTTP", "http2": "H2C", "grpc": "H2C"}
"""Protocol of the backend service. `HTTP2` would be HTTP/2 with TLS, and `GRPC` is for meshes.

https://docs.cloud.google.com/load-balancing/docs/backend-service#protocol_to_backends
"""


class ModelBackend(pulumi.ComponentResource):
    """The backend service of one version, with its health check and named ports."""

    service: compute.BackendService
    link: pulumi.Output[str]
    """Its self link, once those who may call it are admitted."""

    def __init__(  # noqa: PLR0913 (what differs between two versions)
        self,
        name: str,
        args: NetworkingConfig,
        *,
        role: str,
        route: Route,
        groups: tuple[str, ...],
        security_policy: pulumi.Input[str] | None,
        instance_groups: Mapping[InstanceGroup, str],
        naming: Naming,
        hooks: pulumi.ResourceHookBinding | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`role` is the last part of the physical names, and the name of its ports."""
        super().__init__("gkeplatform:networking:ModelBackend", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        check = health_check(name, naming.of(role), args.probes, route=route, opts=child)
        ports = named_ports(role, route.backend, instance_groups, opts=child)
        members = members_of(args, route)
        self.service = compute.BackendService(
            name,
            name=naming.of(role),
            load_balancing_scheme=SCHEME,
            protocol=PROTOCOLS[route.protocol],
            port_name=role if ports else None,
            timeout_sec=args.backends.timeout_seconds,
            connection_draining_timeout_sec=max(
                args.backends.draining_seconds, route.drain_seconds
            ),
            health_checks=check.self_link,
            backends=[
                backend(group, route.backend, max_rate=args.backends.max_rate) for group in groups
            ],
            security_policy=security_policy,
            iap=iap_config(members),
            **resilience(args.backends),
            log_config={"enable": True, "sample_rate": args.backends.log_sample_rate},
            opts=pulumi.ResourceOptions(parent=self, depends_on=ports, hooks=hooks),
        )
        granted = grant_access(role, members, service=self.service, opts=child)
        self.link = pulumi.Output.all(self.service.self_link, *(one.id for one in granted)).apply(
            lambda known: str(known[0])
        )
        self.register_outputs({"service": self.service.name})


class ModelBackends(pulumi.ComponentResource):
    """The backend services of all versions that the load balancer exposes."""

    links: dict[str, pulumi.Output[str]]
    """Self links by version."""
    names: pulumi.Output[dict[str, str]]
    """Physical names by version."""

    def __init__(  # noqa: PLR0913 (what the rooms beside it give)
        self,
        name: str,
        args: NetworkingConfig,
        *,
        models: tuple[ServedModel, ...],
        groups: dict[str, tuple[str, ...]],
        security_policies: Mapping[str, pulumi.Input[str]],
        instance_groups: Mapping[InstanceGroup, str],
        routed: NetworkingContract | None,
        kept: Collection[str],
        naming: Naming,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`routed` is what this layer published last.

        `kept` are the versions that serving keeps what the load balancer used for.
        """
        super().__init__("gkeplatform:networking:ModelBackends", name, None, opts)
        live = moved_backends.live_versions(routed)
        moved = moved_backends.moved(models, live, kept)
        waits = moved | moved_backends.joining(models, live)
        wait = found_healthy(args.probes) if waits else None
        backends = {
            model.name: ModelBackend(
                model.name,
                args,
                role=moved_backends.role(
                    model.name,
                    model.route.backend,
                    live.get(model.name),
                    naming,
                    is_moved=model.name in moved,
                ),
                route=model.route,
                groups=groups[model.name],
                security_policy=security_policies.get(model.name),
                instance_groups=instance_groups,
                naming=naming,
                hooks=wait if model.name in waits else None,
                opts=pulumi.ResourceOptions(parent=self),
            )
            for model in models
            if model.route
        }
        self.links = {key: made.link for key, made in backends.items()}
        self.names = pulumi.Output.all(**{key: made.service.name for key, made in backends.items()})
        self.register_outputs({})


def backend(
    group: str, kind: NegBackend | InstanceGroupBackend, *, max_rate: int
) -> compute.BackendServiceBackendArgsDict:
    """One group of a backend service, with a capacity in requests per second."""
    rate: compute.BackendServiceBackendArgsDict = {
        "group": group,
        "balancing_mode": "RATE",
        "capacity_scaler": 1.0,
    }
    if isinstance(kind, NegBackend):
        rate["max_rate_per_endpoint"] = max_rate
    else:
        rate["max_rate_per_instance"] = max_rate
    return rate


def resilience(args: BackendArgs) -> dict[str, Any]:
    """Session affinity, outlier detection and custom headers, where they are set."""
    settings: dict[str, Any] = {
        "session_affinity": args.session_affinity,
        "custom_request_headers": headers(args.request_headers),
        "custom_response_headers": headers(args.response_headers),
    }
    if outliers := args.outlier_detection:
        settings["outlier_detection"] = {
            "consecutive_errors": outliers.consecutive_errors,
            "enforcing_consecutive_errors": 100,
            "interval": {"seconds": outliers.interval_seconds},
            "base_ejection_time": {"seconds": outliers.ejection_seconds},
            "max_ejection_percent": outliers.most_percent,
        }
    return {key: value for key, value in settings.items() if value}


def headers(given: dict[str, str]) -> list[str]:
    """Headers as Google takes them: `Name: value`."""
    return [f"{name}: {value}" for name, value in sorted(given.items())]


def named_ports(
    name: str,
    kind: NegBackend | InstanceGroupBackend,
    instance_groups: Mapping[InstanceGroup, str],
    *,
    opts: pulumi.ResourceOptions,
) -> list[pulumi.Resource]:
    """The node port as a named port of each instance group; none for endpoint groups.

    A port belongs to its group. A group that was deleted and created again under the same name has
    no ports, so its time of creation, which `instance_groups` has, replaces them.
    """
    if isinstance(kind, NegBackend):
        return []
    return [
        compute.InstanceGroupNamedPort(
            f"{name}-{group.pool}-{group.zone}",
            group=group_name(group.url),
            zone=group.zone,
            name=name,
            port=kind.node_port,
            opts=pulumi.ResourceOptions.merge(
                opts, pulumi.ResourceOptions(replacement_trigger=created)
            ),
        )
        for group, created in instance_groups.items()
    ]
