"""The topic to which GKE publishes what happens to the cluster: upgrades, security bulletins.

GKE's own role lets it publish to topics of the project. Who listens is somebody else's matter.
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
    """The topic's full name; None where nothing is to be told."""
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
    """The cluster's words for it. Off is said too: left out, it would stay as it is."""
    if args is None or topic_name is None:
        return {"pubsub": {"enabled": False}}
    return {
        "pubsub": {
            "enabled": True,
            "topic": topic_name,
            "filter": {"event_types": list(args.events)},
        }
    }
