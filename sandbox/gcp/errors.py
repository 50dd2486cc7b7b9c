"""Errors as Google sends them.

There are two shapes: the older APIs (compute, storage, dns) answer with a list of `errors` that
have a reason each, the newer ones with a canonical `status`. An `ApiError` has what both need.
"""

from __future__ import annotations

from typing import Any

from sandbox.services import find

# Canonical code by HTTP status (google/rpc/code.proto).
_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    412: "FAILED_PRECONDITION",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
}
_REASON = {
    400: "invalid",
    401: "authError",
    403: "forbidden",
    404: "notFound",
    409: "alreadyExists",
    412: "conditionNotMet",
    429: "rateLimitExceeded",
    500: "internalError",
    501: "notImplemented",
    503: "backendError",
}


class ApiError(Exception):
    """A request that Google would answer with an error."""

    def __init__(
        self,
        code: int,
        message: str,
        *,
        status: str | None = None,
        reason: str | None = None,
        details: list[dict[str, Any]] | None = None,
        location: tuple[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status or _STATUS.get(code, "UNKNOWN")
        self.reason = reason or _REASON.get(code, "unknown")
        self.details = details
        self.location = location
        """(location, locationType), such as ("If-Match", "header"); in the older shape only."""

    def body(self, service: str, *, alt: str = "") -> dict[str, Any]:
        """The answer's JSON in the shape of the service; `alt` is the query parameter."""
        row = find(service)
        if row is None or not row.prefixed:
            error: dict[str, Any] = {
                "code": self.code,
                "message": self.message,
                "status": self.status,
            }
            if alt == "json" and row is not None and row.lists_errors:
                error["errors"] = [
                    {"domain": "global", "message": self.message, "reason": self.reason}
                ]
            if self.details:
                error["details"] = self.details
            return {"error": error}
        item: dict[str, Any] = {
            "domain": "global",
            "message": self.message,
            "reason": self.reason,
        }
        if self.location:
            item["location"], item["locationType"] = self.location
        return {"error": {"code": self.code, "errors": [item], "message": self.message}}


def invalid_argument(message: str) -> ApiError:
    """400 INVALID_ARGUMENT, the newer services' answer to a bad value."""
    return ApiError(400, message)


def failed_precondition(message: str) -> ApiError:
    """400 FAILED_PRECONDITION: the resource's state does not allow the request."""
    return ApiError(400, message, status="FAILED_PRECONDITION")


def not_found(resource: str) -> ApiError:
    """Compute's and container's message for a resource that does not exist."""
    return ApiError(404, f"The resource '{resource}' was not found")


def already_exists(resource: str) -> ApiError:
    """Compute's message for a resource that exists already."""
    return ApiError(409, f"The resource '{resource}' already exists")


def invalid(field: str, value: Any, why: str) -> ApiError:
    """Compute's message for a field (such as `resource.name`) with a bad value."""
    return ApiError(400, f"Invalid value for field '{field}': '{value}'. {why}")
