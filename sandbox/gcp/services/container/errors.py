"""Errors of Kubernetes Engine, with its own messages."""

from __future__ import annotations

from sandbox.gcp.errors import ApiError
from sandbox.gcp.services.container.locations import Place


def bad_request(message: str) -> ApiError:
    """400: the request is invalid."""
    return ApiError(400, message, reason="badRequest")


def failed_precondition(message: str) -> ApiError:
    """400: the resource's state does not allow the request."""
    return ApiError(400, message, status="FAILED_PRECONDITION", reason="failedPrecondition")


def no_cluster(place: Place, name: str) -> ApiError:
    """404: the cluster does not exist."""
    return ApiError(404, f"Not found: {place.cluster(name)}.")


def no_pool(name: str) -> ApiError:
    """404: the node pool does not exist."""
    return ApiError(404, f'Not found: node pool "{name}" not found.')


def no_operation(place: Place, name: str) -> ApiError:
    """404: the operation does not exist."""
    return ApiError(404, f"Not found: {place.path()}/operations/{name}.")


def cluster_exists(place: Place, name: str) -> ApiError:
    """409: the cluster exists already."""
    return ApiError(409, f"Already exists: {place.cluster(name)}.")


def pool_exists(place: Place, cluster: str, name: str) -> ApiError:
    """409: the node pool exists already."""
    return ApiError(409, f"Already exists: {place.cluster(cluster)}/nodePools/{name}.")


def busy(operation: str) -> ApiError:
    """400: an incompatible operation is in progress."""
    return failed_precondition(f"Cluster is running incompatible operation {operation}.")


def not_running(name: str, status: str) -> ApiError:
    """400: the cluster's state does not allow changes."""
    return failed_precondition(f'Cluster "{name}" is in state {status} and cannot be changed.')


def stale(kind: str) -> ApiError:
    """409: the etag is outdated."""
    return ApiError(
        409,
        f"The {kind}'s etag does not match: it was changed meanwhile. Read it again and retry.",
        status="ABORTED",
        reason="aborted",
    )
