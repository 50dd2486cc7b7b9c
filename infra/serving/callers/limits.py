"""The configuration of the rate limit service of the Envoy project: limits per caller.

https://github.com/envoyproxy/ratelimit. It counts in fixed windows of a minute, for all gateways
together, in Valkey.
"""

from collections.abc import Iterable

from infra.serving.callers.settings import Caller
from infra.serving.manifest import Manifest

DOMAIN = "callers"
KIND, CALLER = "kind", "caller"
REQUESTS, TOKENS = "requests", "tokens"


def configuration(callers: Iterable[Caller]) -> Manifest:
    """The limits of each caller; one without a limit is not counted."""
    named = list(callers)
    given = {
        REQUESTS: {one.name: one.requests_per_minute for one in named},
        TOKENS: {one.name: one.tokens_per_minute for one in named},
    }
    return {
        "domain": DOMAIN,
        "descriptors": [
            {
                "key": KIND,
                "value": kind,
                "descriptors": [
                    {
                        "key": CALLER,
                        "value": name,
                        "rate_limit": {"unit": "minute", "requests_per_unit": limit},
                    }
                    for name, limit in sorted(limits.items())
                    if limit is not None
                ],
            }
            for kind, limits in given.items()
        ],
    }


def environment(*, socket: str, root: str) -> dict[str, str]:
    """The service's variables: it counts at `socket`, and reads `root`/callers/config/*.yaml."""
    return {
        "REDIS_SOCKET_TYPE": "unix",
        "REDIS_URL": socket,
        "RUNTIME_ROOT": root,
        "RUNTIME_SUBDIRECTORY": DOMAIN,
        # The folder is mounted from a ConfigMap, which replaces its content at once.
        "RUNTIME_WATCH_ROOT": "false",
        "RUNTIME_IGNOREDOTFILES": "true",
        "DISABLE_STATS": "true",
        "LOG_LEVEL": "warn",
        "LOG_FORMAT": "json",
    }
