"""The errors of Kubernetes Engine, in its own sentences."""

from __future__ import annotations

from sandbox.gcp.errors import ApiError
from sandbox.gcp.services.container.places import Place


def bad_request(message: str) -> ApiError:
    """A request that cannot be carried out as it is."""
    return ApiError(400, message, reason="badRequest")


def no_cluster(place: Place, name: str) -> ApiError:
    """The cluster is not there."""
    return ApiError(404, f"Not found: {place.cluster(name)}.")


def no_pool(name: str) -> ApiError:
    """The node pool is not there."""
    return ApiError(404, f'Not found: node pool "{name}" not found.')


def no_operation(place: Place, name: str) -> ApiError:
    """The operation is not there."""
    return ApiError(404, f"Not found: {place.path()}/operations/{name}.")


def cluster_exists(place: Place, name: str) -> ApiError:
    """The name is taken."""
    return ApiError(409, f"Already exists: {place.cluster(name)}.")


def pool_exists(place: Place, cluster: str, name: str) -> ApiError:
    """The node pool's name is taken."""
    return ApiError(409, f"Already exists: {place.cluster(cluster)}/nodePools/{name}.")


def busy(operation: str) -> ApiError:
    """Another operation is under way that does not go together with this one."""
    return ApiError(
        400,
        f"Cluster is running incompatible operation {operation}.",
        status="FAILED_PRECONDITION",
        reason="failedPrecondition",
    )


def not_running(name: str, status: str) -> ApiError:
    """The cluster is in no state in which it can be changed."""
    return ApiError(
        400,
        f'Cluster "{name}" is in state {status} and cannot be changed.',
        status="FAILED_PRECONDITION",
        reason="failedPrecondition",
    )


def stale(kind: str) -> ApiError:
    """The etag is not that of the present state."""
    return ApiError(
        409,
        f"The {kind}'s etag does not match: it was changed meanwhile. Read it again and retry.",
        status="ABORTED",
        reason="aborted",
    )
