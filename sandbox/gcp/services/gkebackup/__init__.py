"""The emulated Backup for GKE: backup plans, and backups made on demand.

Schedules do not run and nothing is copied: a backup only counts what the cluster holds.
"""

from __future__ import annotations

from sandbox.gcp.service import Service
from sandbox.gcp.services.gkebackup.backups import BACKUPS
from sandbox.gcp.services.gkebackup.plans import OPERATIONS, PLANS

SERVICE = Service(
    "gkebackup",
    OPERATIONS.handlers("projects.locations") | PLANS.handlers() | BACKUPS.handlers(),
)
