"""Locked log buckets: what Google refuses for good is refused before anything is changed.

Nobody can unlock a log bucket or change its retention, and it outlives its entry, the callers and
the environment (`callers.audit_log`):
https://cloud.google.com/logging/docs/buckets#locking-logs-buckets.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import pulumi

from gkeplatform import stack
from gkeplatform.contracts import LockedLog, ServingContract
from gkeplatform.errors import PlatformError
from gkeplatform.naming import Naming
from infra.serving.callers.audit_log import AuditLog
from infra.serving.callers.settings import CallersArgs

_KEY = "gke-serving:callers.audit"
_ANEW = (
    "\nhint: another `location` makes another bucket, for the lines from then on; this one stays "
    "with its lines"
)


def refuse(
    name: str, callers: CallersArgs | None, deployed: ServingContract | None, *, naming: Naming
) -> None:
    """`PlatformError` where the log bucket would be unlocked, or keep its lines for other days.

    `name` is the audit log's in the program, `deployed` what this layer published last.
    """
    if callers is None or callers.audit is None or deployed is None:
        return
    audit = callers.audit
    place = (naming.of(name), audit.location or naming.environment.region)
    for had in deployed.locked_logs:
        if (had.bucket, had.location) != place:
            continue
        what = f"log bucket {had.bucket} in {had.location} is locked"
        if not audit.locked:
            raise PlatformError(
                f"{_KEY}.locked: {what}, and nobody can unlock it; keep `locked: true`{_ANEW}"
            )
        if audit.retention_days != had.retention_days:
            raise PlatformError(
                f"{_KEY}.retention_days: {what} and keeps lines for {had.retention_days} days, "
                f"which nobody can change; keep {had.retention_days}{_ANEW}"
            )


def published(
    audit: AuditLog | None, deployed: ServingContract | None
) -> pulumi.Output[list[LockedLog]]:
    """The log buckets to publish: those that were locked once, and this one as Google has it."""
    had = list(deployed.locked_logs) if deployed else []
    if audit is None:
        return pulumi.Output.from_input(had)
    bucket = audit.bucket
    place = pulumi.Output.all(
        bucket.locked, bucket.bucket_id, bucket.location, bucket.retention_days
    )
    return stack.applied(place, partial(_with, had))


def _with(had: list[LockedLog], bucket: Sequence[Any]) -> list[LockedLog]:
    locked, name, location, days = bucket
    if locked is not True:  # also where a preview does not know it
        return had
    here = LockedLog(bucket=name, location=location, retention_days=int(days))
    return had if here in had else [*had, here]
