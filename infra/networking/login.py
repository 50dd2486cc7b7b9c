"""Identity-Aware Proxy: which callers come through to a backend service.

Google's own OAuth client asks them to sign in; it lets in people of the project's organization, and
service accounts that sign their requests. Without HTTPS there is nothing to sign in to, which
`infra.stack_file` refuses.
"""

from collections.abc import Iterable

import pulumi
from pulumi_gcp import compute, iap

ROLE = "roles/iap.httpsResourceAccessor"


def proxy(members: Iterable[str]) -> compute.BackendServiceIapArgsDict | None:
    """The setting of a backend service that these may call; None: it is open to everybody."""
    return {"enabled": True} if tuple(members) else None


def callers(
    name: str,
    members: Iterable[str],
    *,
    service: compute.BackendService,
    opts: pulumi.ResourceOptions,
) -> None:
    """Lets each of them through to the backend service called `name`."""
    for member in members:
        iap.WebBackendServiceIamMember(
            f"{name}-{member}",
            web_backend_service=service.name,
            role=ROLE,
            member=member,
            opts=opts,
        )
