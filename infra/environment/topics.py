"""The Pub/Sub topics of notification channels, which other teams make.

Cloud Monitoring does not ask for a topic before it has an alert to publish, and nobody hears of
that alert.
"""

from collections.abc import Iterable, Iterator
from functools import cache

import pulumi
from pulumi_gcp import pubsub

from gkeplatform.lookups import existing
from gkeplatform.named import Kind, Named
from infra.environment.config import Notification, PubSub


def names(
    notifications: Iterable[Notification], provider: pulumi.ProviderResource
) -> Iterator[Named]:
    """The topic of each channel; none is looked up yet."""

    @cache
    def problem(topic: str) -> str | None:
        _, project, _, name = topic.split("/")
        get = pubsub.get_topic
        if existing(get, "Pub/Sub topic", provider, name=name, project=project):
            return None
        return f"there is no Pub/Sub topic {name} of project {project}"

    for index, one in enumerate(notifications):
        if isinstance(one, PubSub):
            project = one.topic.split("/")[1]
            kind = Kind(
                permission="pubsub.topics.get",
                listing=f"gcloud pubsub topics list --project={project}",
                problem=problem,
            )
            key = f"gke-platform:notifications[{index}].topic"
            yield Named(key=key, kind=kind, name=one.topic)
