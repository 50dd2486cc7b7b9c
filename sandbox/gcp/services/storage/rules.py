"""What a bucket may say of how long it keeps what: soft delete, retention, lifecycle."""

from __future__ import annotations

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError

_DAY = 86_400
_FEWEST, _MOST, _LONGEST = 7, 90, 36_525
_ACTIONS = frozenset({"Delete", "SetStorageClass", "AbortIncompleteMultipartUpload"})
_OF_UPLOADS = frozenset({"age", "matchesPrefix", "matchesSuffix"})
_CLASSES = frozenset({"STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE"})
_MOST_RULES = 100


def check(bucket: Json) -> None:
    """Raise Google's 400 where the bucket's rules cannot hold."""
    soft = int((bucket.get("softDeletePolicy") or {}).get("retentionDurationSeconds") or 0)
    if soft and not _FEWEST * _DAY <= soft <= _MOST * _DAY:
        raise ApiError(
            400,
            f"The soft delete retention duration of {soft} seconds is not 0, and not between "
            f"{_FEWEST} and {_MOST} days.",
        )
    retention = bucket.get("retentionPolicy")
    if retention is not None and not 1 <= int(retention.get("retentionPeriod") or 0) <= (
        _LONGEST * _DAY
    ):
        raise ApiError(400, "The retention period must be between 1 second and 100 years.")
    rules = (bucket.get("lifecycle") or {}).get("rule") or []
    if len(rules) > _MOST_RULES:
        raise ApiError(400, f"A lifecycle has at most {_MOST_RULES} rules.")
    for rule in rules:
        _check_rule(rule)


def _check_rule(rule: Json) -> None:
    action, condition = rule.get("action") or {}, rule.get("condition") or {}
    kind = action.get("type")
    if kind not in _ACTIONS:
        raise ApiError(400, f"Invalid lifecycle action type: {kind!r}.")
    if not condition:
        raise ApiError(400, "A lifecycle management rule must have at least one condition.")
    if kind == "SetStorageClass" and action.get("storageClass") not in _CLASSES:
        raise ApiError(400, "A SetStorageClass action must name a storage class.")
    if kind == "AbortIncompleteMultipartUpload" and condition.keys() - _OF_UPLOADS:
        raise ApiError(
            400,
            "An AbortIncompleteMultipartUpload action takes no conditions but age, matchesPrefix "
            "and matchesSuffix.",
        )
