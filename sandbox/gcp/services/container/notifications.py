"""Cluster notifications to Pub/Sub: upgrade events.

The sandbox has no new versions and no security bulletins.
"""

from __future__ import annotations

import base64
import json
import re

from sandbox.gcp.service import State, now, project_number
from sandbox.gcp.services.container.checks import InvalidError
from sandbox.gcp.services.container.render import ClusterRecord
from sandbox.gcp.services.container.wire_format import Json
from sandbox.gcp.services.pubsub.messages import PREFIX, publish

_TOPIC = re.compile(r"projects/(?P<project>[^/]+)/topics/[^/]+")
_TYPE = "type.googleapis.com/google.container.v1beta1.UpgradeEvent"


def check(state: State, wanted: Json, project: str) -> None:
    """Raise `InvalidError` if the notification topic is not a topic of the project."""
    pubsub = wanted.get("pubsub") or {}
    topic = pubsub.get("topic") or ""
    if not pubsub.get("enabled"):
        return
    found = _TOPIC.fullmatch(topic)
    if found is None:
        raise InvalidError(
            f'Invalid notification_config.pubsub.topic "{topic}": it must have the form '
            "projects/PROJECT/topics/TOPIC."
        )
    if found["project"] not in (project, project_number(project)):
        raise InvalidError(f'Topic "{topic}" must be in the project of the cluster, "{project}".')
    if f"{PREFIX}/{topic}" not in state.store:
        raise InvalidError(f'Pub/Sub topic "{topic}" does not exist.')


def upgraded(state: State, record: ClusterRecord, before: str, after: str, *, what: str) -> None:
    """Publish that an upgrade of the control plane (`MASTER`) or a pool (`NODE_POOL`) started."""
    cluster = record["cluster"]
    pubsub = (cluster.get("notificationConfig") or {}).get("pubsub") or {}
    kinds = (pubsub.get("filter") or {}).get("eventType") or ["UPGRADE_EVENT"]
    topic = pubsub.get("topic") or ""
    wanted = pubsub.get("enabled") and "UPGRADE_EVENT" in kinds and before != after
    if not wanted or f"{PREFIX}/{topic}" not in state.store:
        return
    payload = {
        "resourceType": what,
        "operationStartTime": now(),
        "currentVersion": before,
        "targetVersion": after,
    }
    named = "master" if what == "MASTER" else "node pool"
    text = f"The {named} of cluster {cluster['name']} is upgraded from {before} to {after}."
    attributes = {
        "project_id": project_number(record["project"]),
        "cluster_location": record["location"],
        "cluster_name": cluster["name"],
        "type_url": _TYPE,
        "payload": json.dumps(payload),
    }
    publish(state, topic, base64.b64encode(text.encode()).decode(), attributes)
