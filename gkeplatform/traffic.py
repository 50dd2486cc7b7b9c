"""Whether what models ask of the load balancer goes with what the load balancer is given."""

from collections.abc import Sequence
from typing import Any

from gkeplatform.errors import PlatformError


def check(models: Sequence[Any], networking: Any, *, file: str) -> None:
    """`PlatformError` where entries of the catalogue contradict the keys of `gke-networking`."""
    backends = networking.backends
    for index, model in enumerate(models):
        key = f"{file}: gke-serving:models[{index}]"
        if getattr(model.exposure, "iap", None) and not networking.certificates:
            raise PlatformError(
                f"{key}.exposure.iap: Identity-Aware Proxy needs HTTPS, and there are no "
                "certificates; list one in gke-networking:certificates, or remove iap"
            )
        retries = getattr(model.exposure, "retries", None)
        own = getattr(model.exposure, "timeout_seconds", None)
        attempt = retries.attempt_seconds if retries else None
        if attempt is not None and own is None and attempt > backends.timeout_seconds:
            raise PlatformError(
                f"{key}.exposure.retries.attempt_seconds: {attempt} exceeds "
                f"gke-networking:backends.timeout_seconds {backends.timeout_seconds}, in which all "
                "attempts must end; lower it, or set exposure.timeout_seconds"
            )
        if model.canary is not None and backends.session_affinity != "NONE":
            raise PlatformError(
                f"{key}.canary: requests that are shared out by weight do not stay with one pod, "
                f"and gke-networking:backends.session_affinity is {backends.session_affinity}; set "
                "it to NONE, or remove canary"
            )
