"""The emulated Cloud Logging: log buckets, sinks, and exclusions of the `_Default` sink.

It is where a project's entries would go, not the entries: nothing is written, routed or read.
Views, metrics, links, scopes, saved queries and encryption are not emulated.
"""

from __future__ import annotations

from sandbox.gcp.service import Service
from sandbox.gcp.services.logging.buckets import BUCKETS, OPERATIONS
from sandbox.gcp.services.logging.sinks import EXCLUSIONS, SINKS

SERVICE = Service(
    "logging",
    OPERATIONS.handlers("projects.locations")
    | BUCKETS.handlers()
    | SINKS.handlers()
    | EXCLUSIONS.handlers(),
)
