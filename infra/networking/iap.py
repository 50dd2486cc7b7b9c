"""Identity-Aware Proxy: the principals that may call a backend service.

Google's own OAuth client signs callers in. It admits people of the project's organization, and
service accounts that sign their requests. Identity-Aware Proxy needs HTTPS: a stack file with IAP
and without certificates is refused when it is read.
"""

from __future__ import annotations

from collections.abc import Iterable

import pulumi
from pulumi_gcp import compute, iap

from gkeplatform.contracts import Route
from infra.networking.config import NetworkingConfig

ROLE = "roles/iap.httpsResourceAccessor"


def members_of(config: NetworkingConfig, route: Route) -> tuple[str, ...]:
    """The principals that may call a model: its own, or else those of `gke-networking:iap`."""
    return route.members or (config.iap.members if config.iap else ())


def iap_config(members: Iterable[str]) -> compute.BackendServiceIapArgsDict | None:
    """The `iap` argument of a backend service; None where everyone may call it."""
    return {"enabled": True} if tuple(members) else None


def grant_access(
    name: str,
    members: Iterable[str],
    *,
    service: compute.BackendService,
    opts: pulumi.ResourceOptions,
) -> list[iap.WebBackendServiceIamMember]:
    """Grants each member access to the backend service."""
    return [
        iap.WebBackendServiceIamMember(
            f"{name}-{member}",
            web_backend_service=service.name,
            role=ROLE,
            member=member,
            opts=opts,
        )
        for member in members
    ]
