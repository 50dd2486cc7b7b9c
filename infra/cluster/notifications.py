"""The topic of cluster notifications: upgrades and security bulletins.

GKE's service agent may publish to topics of its project. Subscriptions are not declared here.
"""

import pulumi
from pulumi_gcp import container, pubsub

from gkeplatform.labels import Labels
from gkeplatform.naming import Naming
from infra.cluster.cluster_settings import Notifications
from infra.cluster.encryption_settings import DAY


def topic(
    name: str,
    args: Notifications | None,
    *,
    naming: Naming,
    labels: Labels,
    opts: pulumi.ResourceOptions,
) -> pulumi.Output[str] | None:
    """Declares the topic and returns its full name; None where notifications are off."""
    if args is None:
        return None
    made = pubsub.Topic(
        name,
        name=naming.of(name),
        message_retention_duration=f"{args.retain_days * DAY}s",
        labels=labels.google(),
        opts=opts,
    )
    return made.id


def notification_config(
    args: Notifications | None, topic_name: pulumi.Input[str] | None
) -> container.ClusterNotificationConfigArgsDict:
    """The cluster's `notification_config`. Off is explicit: leaving it out would change nothing."""
    if args is None or topic_name is None:
        return {"pubsub": {"enabled": False}}
    return {
        "pubsub": {
            "enabled": True,
            "topic": topic_name,
            "filter": {"event_types": list(args.events)},
        }
    }
