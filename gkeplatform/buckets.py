"""What a bucket keeps of what was replaced or deleted: said alike by every layer that has one.

Decisions only: the layers make the buckets.
"""

from typing import Annotated, Any

from msgspec import Meta

from gkeplatform.config import Settings

DAY = 86_400
FEWEST, MOST = 7, 90
"""Days that Google's soft delete may keep, where it keeps at all."""
UPLOAD_DAYS = 7
"""An upload in parts that nobody has finished by then goes: it costs, and shows nowhere."""


class BucketArgs(Settings):
    """How a bucket is kept safe. Where several hold, the longest counts."""

    versioning: Annotated[bool, Meta(description="Keep replaced and deleted files.")] = True
    noncurrent_days: Annotated[
        int, Meta(ge=1, le=3650, description="Days that replaced and deleted files are kept.")
    ] = 30
    soft_delete_days: Annotated[
        int,
        Meta(
            ge=0,
            le=MOST,
            description="Days within which whatever was deleted for good can be had back; 0, or "
            "7 to 90.",
        ),
    ] = 7
    retention_days: Annotated[
        int,
        Meta(ge=0, le=36_500, description="Days that no file can be replaced or deleted; 0: none."),
    ] = 0
    force_destroy: Annotated[
        bool, Meta(description="Let the bucket be destroyed while files are in it.")
    ] = False

    def __post_init__(self) -> None:
        if 0 < self.soft_delete_days < FEWEST:
            raise ValueError(
                f"soft_delete_days: {self.soft_delete_days} is fewer than Google keeps; set "
                f"{FEWEST}, or 0 for none"
            )
        if self.retention_days and self.versioning:
            raise ValueError(
                f"retention_days: {self.retention_days} days of retention leave no file to be "
                "replaced, so that versioning has nothing to keep; set versioning to false, or "
                "retention_days to 0"
            )
        if self.retention_days and self.force_destroy:
            raise ValueError(
                f"force_destroy: files cannot be deleted for {self.retention_days} days "
                "(retention_days); set it to false, or retention_days to 0"
            )


def kept(args: BucketArgs) -> dict[str, Any]:
    """The arguments of a bucket resource that say what it keeps, and for how long."""
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
        "soft_delete_policy": {"retention_duration_seconds": args.soft_delete_days * DAY},
        "force_destroy": args.force_destroy,
    }
    if args.retention_days:
        found["retention_policy"] = {"retention_period": str(args.retention_days * DAY)}
    return found
