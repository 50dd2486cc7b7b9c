"""Asks the environment's address from outside, as a client would."""

import pulumi
from pulumi_gcp import monitoring

from gkeplatform.environment import Environment
from gkeplatform.labels import Labels
from gkeplatform.naming import Naming
from infra.environment.config import UptimeCheckArgs


def uptime_check(
    name: str,
    args: UptimeCheckArgs,
    *,
    address: str,
    path: str,
    environment: Environment,
    labels: Labels,
    opts: pulumi.ResourceOptions | None = None,
) -> monitoring.UptimeCheckConfig:
    """The check of the load balancer's address. It alerts nobody by itself."""
    return monitoring.UptimeCheckConfig(
        name,
        display_name=Naming(environment).of("address"),
        period=f"{args.period_seconds}s",
        timeout=f"{args.timeout_seconds}s",
        monitored_resource={
            "type": "uptime_url",
            "labels": {"project_id": environment.project, "host": address},
        },
        http_check={"path": path, "port": 80, "request_method": "GET"},
        user_labels=labels.google(),
        opts=opts,
    )
