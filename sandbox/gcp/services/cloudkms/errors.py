"""Errors of Cloud KMS."""

from __future__ import annotations

from sandbox.gcp.collections import Messages
from sandbox.gcp.errors import ApiError

MESSAGES = Messages(
    missing="{noun} {name} not found.",
    exists="{noun} {name} already exists.",
    bad_id="{noun} id must match {pattern}: {id!r}.",
)


def bad(message: str) -> ApiError:
    """400 INVALID_ARGUMENT."""
    return ApiError(400, message)


def not_ready(message: str) -> ApiError:
    """400 FAILED_PRECONDITION."""
    return ApiError(400, message, status="FAILED_PRECONDITION")
