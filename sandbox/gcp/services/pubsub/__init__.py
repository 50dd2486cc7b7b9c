"""The emulated Pub/Sub: topics, subscriptions, and messages between them.

Nothing is pushed. Snapshots and schemas are not emulated. Other services publish by `messages`.
"""

from __future__ import annotations

from sandbox.gcp.service import Service
from sandbox.gcp.services.pubsub.subscriptions import SUBSCRIPTIONS
from sandbox.gcp.services.pubsub.topics import TOPICS

SERVICE = Service("pubsub", TOPICS.handlers() | SUBSCRIPTIONS.handlers())
