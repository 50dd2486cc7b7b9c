"""`urlMaps.invalidateCache`: what Cloud CDN has kept of a URL is asked for again.

https://docs.cloud.google.com/cdn/docs/cache-invalidation-overview: a path begins with a slash, has
neither query nor fragment, and a `*` only at the end, after a slash.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

from sandbox.gcp.errors import ApiError, invalid
from sandbox.gcp.store import Store

KEY = "cdn/{}/invalidations"
"""The key of a project's invalidations in the store."""
_PATH = re.compile(r"/[^*?#]*|/([^*?#]*/)?\*")
_MOST = 1000


def add(store: Store, project: str, rule: Mapping[str, Any]) -> None:
    """Record an invalidation. Raises ApiError."""
    if rule.get("cacheTags"):
        raise ApiError(501, "sandbox does not emulate invalidations by cacheTags")
    path, host = str(rule.get("path") or ""), str(rule.get("host") or "")
    if not path:
        raise ApiError(400, "Required field 'resource.path' not specified", reason="required")
    if not _PATH.fullmatch(path):
        why = "It must begin with '/', without '?' and '#', and '*' only at the end after '/'."
        raise invalid("resource.path", path, why)
    kept = list((store.get(KEY.format(project)) or {}).get("invalidations") or ())
    kept.append({"at": time.time(), "host": host, "path": path})
    store.put(KEY.format(project), {"invalidations": kept[-_MOST:]})
