"""Uptime checks of the routed models' URLs, from outside."""

from dataclasses import dataclass
from urllib.parse import urlsplit

import pulumi
from pulumi_gcp import monitoring

from gkeplatform.contracts import RoutedModel
from gkeplatform.labels import Labels
from gkeplatform.naming import Naming
from infra.environment.config import UptimeCheckArgs


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """The parts of a URL, as Cloud Monitoring takes them."""

    host: str
    path: str
    port: int
    is_encrypted: bool


def probe(url: str) -> Probe:
    """The parts of a URL."""
    parts = urlsplit(url)
    is_encrypted = parts.scheme == "https"
    return Probe(
        host=parts.hostname or "",
        path=parts.path or "/",
        port=parts.port or (443 if is_encrypted else 80),
        is_encrypted=is_encrypted,
    )


def uptime_check(
    name: str,
    args: UptimeCheckArgs,
    *,
    model: RoutedModel,
    naming: Naming,
    labels: Labels,
    opts: pulumi.ResourceOptions | None = None,
) -> monitoring.UptimeCheckConfig:
    """The check of one model's URL, certificate included. `alerts.uptime` has the alert."""
    target = probe(model.url)
    http: monitoring.UptimeCheckConfigHttpCheckArgsDict = {
        "path": target.path,
        "port": target.port,
        "request_method": "GET",
    }
    if target.is_encrypted:
        http |= {"use_ssl": True, "validate_ssl": True}
    return monitoring.UptimeCheckConfig(
        name,
        display_name=naming.of(model.name),
        period=f"{args.period_seconds}s",
        timeout=f"{args.timeout_seconds}s",
        monitored_resource={
            "type": "uptime_url",
            "labels": {"project_id": naming.environment.project, "host": target.host},
        },
        http_check=http,
        user_labels=labels.google(model=model.name),
        # A replacement is created first: the alert must move to it before the old one can go.
        opts=opts,
    )
