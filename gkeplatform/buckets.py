"""Data protection of Cloud Storage buckets: versioning, soft delete, retention and lifecycle.

Settings and the arguments derived from them; the layers declare the buckets.
"""

from typing import Annotated, Any

from msgspec import Meta

from gkeplatform.config import Settings

SECONDS_PER_DAY = 86_400
MIN_SOFT_DELETE_DAYS, MAX_SOFT_DELETE_DAYS = 7, 90
"""Google's bounds of a soft delete policy that is not off."""
UPLOAD_DAYS = 7
"""Age at which an incomplete multipart upload is deleted: it is billed but not listed."""


class BucketArgs(Settings):
    """Data protection of a bucket. Where several settings apply, the longest period wins."""

    versioning: Annotated[bool, Meta(description="Keep noncurrent versions of objects.")] = True
    noncurrent_days: Annotated[
        int, Meta(ge=1, le=3650, description="Days to keep noncurrent versions.")
    ] = 30
    soft_delete_days: Annotated[
        int,
        Meta(
            ge=0,
            le=MAX_SOFT_DELETE_DAYS,
            description="Days within which a deleted object can be restored; 0 (off), or 7 to 90.",
        ),
    ] = 7
    retention_days: Annotated[
        int,
        Meta(
            ge=0,
            le=36_500,
            description="Days that an object cannot be replaced or deleted; 0: off.",
        ),
    ] = 0
    force_destroy: Annotated[
        bool, Meta(description="Allow destroying the bucket with the objects in it.")
    ] = False

    def __post_init__(self) -> None:
        if 0 < self.soft_delete_days < MIN_SOFT_DELETE_DAYS:
            raise ValueError(
                f"soft_delete_days: {self.soft_delete_days} is below Google's minimum; set "
                f"{MIN_SOFT_DELETE_DAYS} or more, or 0 to turn it off"
            )
        if self.retention_days and self.versioning:
            raise ValueError(
                f"retention_days: {self.retention_days} excludes versioning, since an object under "
                "retention is never replaced; set versioning to false, or retention_days to 0"
            )
        if self.retention_days and self.force_destroy:
            raise ValueError(
                f"force_destroy: objects cannot be deleted for {self.retention_days} days "
                "(retention_days); set it to false, or retention_days to 0"
            )


def protection(args: BucketArgs) -> dict[str, Any]:
    """The arguments of a bucket resource for these settings."""
    rules: list[dict[str, Any]] = [
        {"action": {"type": "AbortIncompleteMultipartUpload"}, "condition": {"age": UPLOAD_DAYS}}
    ]
    if args.versioning:
        rules.append(
            {
                "action": {"type": "Delete"},
                "condition": {
                    "days_since_noncurrent_time": args.noncurrent_days,
                    "with_state": "ARCHIVED",
                },
            }
        )
    found: dict[str, Any] = {
        "versioning": {"enabled": args.versioning},
        "lifecycle_rules": rules,
        "soft_delete_policy": {
            "retention_duration_seconds": args.soft_delete_days * SECONDS_PER_DAY
        },
        "force_destroy": args.force_destroy,
    }
    if args.retention_days:
        found["retention_policy"] = {"retention_period": str(args.retention_days * SECONDS_PER_DAY)}
    return found
