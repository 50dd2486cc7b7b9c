"""Validation of a bucket's soft delete policy, retention policy and lifecycle rules."""

from __future__ import annotations

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError

_DAY = 86_400
_MIN_SOFT_DELETE, _MAX_SOFT_DELETE = 7, 90  # days
_MAX_RETENTION = 36_525  # days
_ACTIONS = frozenset({"Delete", "SetStorageClass", "AbortIncompleteMultipartUpload"})
_UPLOAD_CONDITIONS = frozenset({"age", "matchesPrefix", "matchesSuffix"})
_CLASSES = frozenset({"STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE"})
_MAX_RULES = 100


def check(bucket: Json) -> None:
    """Raise Google's 400 for values outside its limits."""
    soft = int((bucket.get("softDeletePolicy") or {}).get("retentionDurationSeconds") or 0)
    if soft and not _MIN_SOFT_DELETE * _DAY <= soft <= _MAX_SOFT_DELETE * _DAY:
        raise ApiError(
            400,
            f"The soft delete retention duration of {soft} seconds is not 0, and not between "
            f"{_MIN_SOFT_DELETE} and {_MAX_SOFT_DELETE} days.",
        )
    retention = bucket.get("retentionPolicy")
    if retention is not None and not 1 <= int(retention.get("retentionPeriod") or 0) <= (
        _MAX_RETENTION * _DAY
    ):
        raise ApiError(400, "The retention period must be between 1 second and 100 years.")
    rules = (bucket.get("lifecycle") or {}).get("rule") or []
    if len(rules) > _MAX_RULES:
        raise ApiError(400, f"A lifecycle has at most {_MAX_RULES} rules.")
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
    if kind == "AbortIncompleteMultipartUpload" and condition.keys() - _UPLOAD_CONDITIONS:
        raise ApiError(
            400,
            "An AbortIncompleteMultipartUpload action only takes the conditions age, matchesPrefix "
            "and matchesSuffix.",
        )
