"""Who may call the models on the Gateway that are behind Identity-Aware Proxy.

GKE names the backend services of a Gateway, so a grant cannot name them. It is made for all
backend services of the project instead, on condition of the model's hosts and path, which
Identity-Aware Proxy compares with the request:
https://docs.cloud.google.com/chrome-enterprise-premium/docs/hostname-and-path-conditions.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import pulumi
from pulumi_gcp import iap

from infra.serving.exposures.base import ExposureSettings, Server
from infra.serving.exposures.gateway import Gateway

ROLE = "roles/iap.httpsResourceAccessor"
# https://docs.cloud.google.com/iam/quotas
OPERATORS = 12
"""Logical operators that one condition may have."""
SAME_PRINCIPAL = 20
"""Bindings of one role and one principal that a policy may have, each with a condition."""


def condition(exposure: Gateway) -> str:
    """The expression of the requests that reach the model."""
    hosts = " || ".join(f'request.host == "{host}"' for host in exposure.hosts)
    path = f'request.path == "{exposure.path}" || request.path.startsWith("{exposure.path}/")'
    return f"({hosts}) && ({path})"


def check(servers: Sequence[Server]) -> None:
    """`ValueError` for grants that IAM would refuse, or that would admit to another model.

    `servers` are the entries in the order of the catalog.
    """
    granted: Counter[str] = Counter()
    for index, server in enumerate(servers):
        exposure = on_gateway(server)
        if exposure is None or not exposure.iap:
            continue
        key = f"models[{index}].{'' if server.exposure is exposure else 'former_'}exposure"
        count = condition(exposure).count("||") + condition(exposure).count("&&")
        if count > OPERATORS:
            raise ValueError(
                f"{key}.hosts: {len(exposure.hosts)} hosts need a condition of {count} operators, "
                f"and IAM takes {OPERATORS}; set at most {len(exposure.hosts) + OPERATORS - count}"
            )
        for member in exposure.iap.members:
            granted[member] += 1
            if granted[member] > SAME_PRINCIPAL:
                raise ValueError(
                    f"{key}.iap.members: {member} is granted {granted[member]} models of the "
                    f"Gateway, and IAM takes {SAME_PRINCIPAL} conditions of one principal; grant a "
                    "group in its place, or set require_iap and grant the role on the project"
                )
        for other in servers:
            route = on_gateway(other)
            if (
                other is not server
                and route is not None
                and route.is_behind_iap
                and _share_hosts(exposure, route)
                and _is_within(route.path, exposure.path)
            ):
                raise ValueError(
                    f'{key}.iap: its members would be admitted to "{other.name}" on {route.path}, '
                    "too; give the models paths or hosts of which none contains the other"
                )


def on_gateway(server: Server) -> Gateway | None:
    """How a model is reached on the Gateway, also where it moves from there; None: it is not."""
    routes = (server.exposure, server.formerly.exposure if server.formerly else None)
    return next((one for one in routes if isinstance(one, Gateway)), None)


def admits_to(exposure: Gateway, other: ExposureSettings) -> str | None:
    """A path of `other` at the HTTP load balancer to which the condition applies; None if none."""
    if not _share_hosts(exposure, other):
        return None
    overlapping = (
        path
        for path in other.paths
        if _is_within(path, exposure.path) or _is_within(exposure.path, path)
    )
    return next(overlapping, None)


def _share_hosts(one: ExposureSettings, other: ExposureSettings) -> bool:
    return not other.hosts or bool(set(one.hosts) & set(other.hosts))


def _is_within(path: str, root: str) -> bool:
    return path == root or path.startswith(f"{root}/")


def grant_access(servers: Iterable[Server], *, project: str, opts: pulumi.ResourceOptions) -> None:
    """Declares the grants of every model on the Gateway."""
    for server in servers:
        exposure = on_gateway(server)
        if exposure is None or not exposure.iap:
            continue
        for member in exposure.iap.members:
            iap.WebTypeComputeIamMember(
                f"{server.name}-{member}",
                project=project,
                role=ROLE,
                member=member,
                condition={
                    "title": f"{server.namespace}-{server.name}",
                    "description": f"The model {server.name} on the Gateway.",
                    "expression": condition(exposure),
                },
                opts=opts,
            )
