"""The invalidations of a project's caches, as the emulated compute API keeps them.

Those of all its URL maps: backend buckets keep host and URL map out of their keys.
"""

from __future__ import annotations

from sandbox.gcp.services.compute.invalidations import KEY
from sandbox.gcp.store import Store
from sandbox.traffic.cdn.cache import Invalidation


def invalidations(store: Store, project: str) -> list[Invalidation]:
    """Those of a project."""
    kept = store.get(KEY.format(project)) or {}
    return [
        Invalidation(float(one["at"]), str(one["host"]), str(one["path"]))
        for one in kept.get("invalidations") or ()
    ]
