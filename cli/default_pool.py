"""Deletes the default node pool that an interrupted creation of a cluster left.

A cluster cannot be created without a pool. With `removeDefaultNodePool` the plugin deletes it after
the creation, and never looks at it again: for an adopted cluster that remains to be done.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from cli.lookup import LookupFailedError, token

_VARIABLE = "GOOGLE_CONTAINER_CUSTOM_ENDPOINT"
_ADDRESS = "https://container.googleapis.com/v1/"
_SECONDS = 30
_SECONDS_TO_END = 1800.0  # GKE may take twenty minutes to create a cluster
_PAUSE = 2.0
_GONE = 404
_BUSY = frozenset({400, 409, 429, 503})


def delete(cluster: str, environment: Mapping[str, str]) -> bool:
    """Delete the pool, after a running operation; whether there was one.

    `cluster` is the cluster's id. Raises LookupFailedError.
    """
    import httpx  # noqa: PLC0415 (only an interrupted run needs it)

    base = environment.get(_VARIABLE) or _ADDRESS
    url = f"{base.rstrip('/')}/{cluster}/nodePools/default-pool"
    deadline = time.monotonic() + _SECONDS_TO_END
    is_found = False
    with httpx.Client(
        headers={"Authorization": f"Bearer {token(environment)}"}, timeout=_SECONDS
    ) as client:
        while True:
            try:
                answer = client.delete(url)
            except httpx.HTTPError as error:
                raise LookupFailedError(f"{url}: {error}") from error
            if answer.status_code == _GONE:
                return is_found
            is_found = True
            # While an operation runs on the cluster, GKE refuses others.
            refused = not answer.is_success and answer.status_code not in _BUSY
            if refused or time.monotonic() > deadline:
                raise LookupFailedError(f"{url}: {answer.status_code} {answer.text[:200]}")
            time.sleep(_PAUSE)
