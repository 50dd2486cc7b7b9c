"""What every alert policy of an environment has: its text, its channels, and how it ends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_gcp import monitoring

from gkeplatform.naming import Naming
from infra.environment.config import EnvironmentConfig

DISPLAYED = 512
"""Longest display name in Cloud Monitoring."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertPolicy:
    """When it fires, and what it says."""

    displayed: str
    """The display name, after the platform's prefix."""
    severity: str
    subject: str
    text: str
    """Markdown: what is wrong, and where to look."""
    conditions: Sequence[monitoring.AlertPolicyConditionArgsDict]
    every: bool = False
    """It fires while all conditions hold; otherwise one is enough."""


def declare(
    name: str,
    policy: AlertPolicy,
    config: EnvironmentConfig,
    *,
    channels: Sequence[pulumi.Input[str]],
    naming: Naming,
    labels: Mapping[str, str],
    opts: pulumi.ResourceOptions | None = None,
) -> monitoring.AlertPolicy:
    """Declares the policy; `labels` are its user labels."""
    return monitoring.AlertPolicy(
        name,
        display_name=naming.of(policy.displayed, longest=DISPLAYED),
        combiner="AND" if policy.every else "OR",
        severity=policy.severity,
        conditions=list(policy.conditions),
        documentation={
            "mime_type": "text/markdown",
            "subject": f"{naming.environment.name}: {policy.subject}",
            "content": policy.text,
        },
        alert_strategy={"auto_close": f"{config.alerts.close_after_minutes * 60}s"},
        notification_channels=list(channels),
        user_labels=dict(labels),
        opts=opts,
    )
