"""Uptime checks of the routed models' URLs, from outside."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pulumi
from pulumi_gcp import monitoring

from gkeplatform import planned
from gkeplatform.contracts import RoutedModel
from gkeplatform.errors import PlatformError
from gkeplatform.labels import Labels
from gkeplatform.naming import Naming
from infra.environment.config import UptimeCheckArgs

CHECKS = 100
"""Uptime checks of a project at most: https://cloud.google.com/monitoring/quotas."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """The parts of a URL, as Cloud Monitoring takes them."""

    host: str
    path: str
    port: int
    is_encrypted: bool


def probe(url: str) -> Probe:
    """The parts of a URL; of one that is known only after the update, the host is."""
    if url == planned.UNKNOWN:
        return Probe(host=url, path="/", port=80, is_encrypted=False)
    parts = urlsplit(url)
    is_encrypted = parts.scheme == "https"
    return Probe(
        host=parts.hostname or "",
        path=parts.path or "/",
        port=parts.port or (443 if is_encrypted else 80),
        is_encrypted=is_encrypted,
    )


def checked(models: Iterable[RoutedModel], args: UptimeCheckArgs) -> dict[str, str]:
    """The URL to check of each model that has a check."""
    return {
        model.name: model.check_url
        for model in models
        if model.check_url and not model.uses_iap and model.name not in args.skip
    }


def check_count(models: Iterable[RoutedModel], args: UptimeCheckArgs) -> None:
    """`PlatformError` for more checks than Cloud Monitoring takes."""
    count = len(checked(models, args))
    if count > CHECKS:
        raise PlatformError(
            f"gke-platform:uptime_check: {count} models would have a check, and a project has at "
            f"most {CHECKS}; name {count - CHECKS} of them in uptime_check.skip (their objectives "
            "and alerts stay)"
        )


def unchecked(models: Iterable[RoutedModel], args: UptimeCheckArgs) -> Iterator[str]:
    """A warning for each model that nothing can check, and that `skip` does not name."""
    for model in models:
        if model.check_url or model.uses_iap or model.name in args.skip:
            continue
        yield (
            f'model "{model.name}" has no uptime check: a check sends a GET, and none of the '
            "model's routes answers one with 200 (they take POST or gRPC, or the model may have no "
            "replicas). Add its server's status or health URL to exposure.paths, or the model to "
            "gke-platform:uptime_check.skip; objectives and their alerts are not affected"
        )


def uptime_check(
    name: str,
    args: UptimeCheckArgs,
    *,
    url: str,
    naming: Naming,
    labels: Labels,
    opts: pulumi.ResourceOptions | None = None,
) -> monitoring.UptimeCheckConfig:
    """The check of a model's URL, certificate included. `alerts.uptime` has the alert.

    `name` is the model's.
    """
    target = probe(url)
    http: monitoring.UptimeCheckConfigHttpCheckArgsDict = {
        "path": target.path,
        "port": target.port,
        "request_method": "GET",
    }
    if target.is_encrypted:
        http |= {"use_ssl": True, "validate_ssl": True}
    return monitoring.UptimeCheckConfig(
        name,
        display_name=naming.of(name),
        period=f"{args.period_seconds}s",
        timeout=f"{args.timeout_seconds}s",
        monitored_resource={
            "type": "uptime_url",
            "labels": {"project_id": naming.environment.project, "host": target.host},
        },
        http_check=http,
        user_labels=labels.google(model=name),
        # A replacement is created first: the alert must move to it before the old one can go.
        opts=opts,
    )
