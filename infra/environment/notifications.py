"""Notification channels of Cloud Monitoring: one per entry of `notifications`."""

from typing import Any

import pulumi
from pulumi_gcp import monitoring

from gkeplatform.labels import Labels
from gkeplatform.naming import Naming
from infra.environment.config import Email, Notification, PubSub, Webhook


def channel(
    args: Notification,
    *,
    naming: Naming,
    labels: Labels,
    opts: pulumi.ResourceOptions | None = None,
) -> monitoring.NotificationChannel:
    """The channel of one entry; its password is a secret output."""
    return monitoring.NotificationChannel(
        args.name,
        display_name=naming.of(args.name),
        user_labels=labels.google(),
        opts=opts,
        **_of_kind(args),
    )


def _of_kind(args: Notification) -> dict[str, Any]:
    match args:
        case Email():
            return {"type": "email", "labels": {"email_address": args.address}}
        case PubSub():
            return {"type": "pubsub", "labels": {"topic": args.topic}}
        case Webhook():
            return {
                "type": "webhook_basicauth",
                "labels": {"url": args.url, "username": args.username},
                "sensitive_labels": {"password": pulumi.Output.secret(args.password)},
            }
