"""Where a call is sent: to the sandbox's port of the front end, or to the real address."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from cli.errors import CliError, Exit
from cli.routing import HTTP_LOAD_BALANCER, Plan
from cli.traffic import deployed
from cli.traffic.calls import Call
from cli.traffic.front_ends import FrontEnds
from cli.traffic.target import Target
from infra.networking.url_map.lookup import Found
from infra.path_routes import GATEWAY, INFERENCE, router_headers
from infra.serving.models import Workload
from sandbox import lifecycle

_PORTS = {"https": 443, "http": 80}
_INSIDE = ".svc"
_HERE = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Way:
    """A target, and what the stack file says becomes of a request to it."""

    target: Target
    kind: str
    """The front end: a kind of exposure."""
    found: Found | None
    """None for an address of the model's own, which has no routes."""


def way(
    plan: Plan,
    model: Workload,
    call: Call,
    headers: Mapping[str, str],
    *,
    real: bool,
    address: str | None = None,
) -> Way:
    """The way of a call to a model that is rehearsed, or `real`. Raises CliError.

    `address` is connected to instead of what the environment says.
    """
    variables = dict(os.environ) if real else deployed.sandbox_variables()
    known = deployed.read(plan.environment, variables, rehearsed=not real)
    if model.name not in known.urls:
        raise CliError(
            f"{model.name} is in the stack file, and not deployed",
            f"./platformctl {'up' if real else 'rehearse'} {plan.environment}",
            Exit.NO_STACK,
        )
    front = None
    if not real:
        front = FrontEnds(lifecycle.Home.default().path, plan.project)
    target = targeted(known, model, call, headers, front=front, address=address)
    target = replace(target, authorities=plan.authorities)
    kind = model.exposure.kind
    seen = {**headers, **router_headers(kind, call.body)}
    found = plan.find(target.url, seen, kind) if kind in plan.front_ends else None
    return Way(target, kind, found)


def targeted(
    known: deployed.Deployed,
    model: Workload,
    call: Call,
    headers: Mapping[str, str],
    *,
    front: FrontEnds | None,
    address: str | None = None,
) -> Target:
    """The target of a call; `front` has the sandbox's front ends, None for a real environment."""
    url = urlsplit(known.urls[model.name])
    host = url.hostname
    if host is None:
        raise CliError(
            f"{model.name} has no address yet: {known.urls[model.name]}",
            "its controller assigns one; deploy the environment again once it has",
        )
    port = url.port or _PORTS.get(url.scheme, 80)
    connect = _connection(known, model, host, port, front=front, address=address)
    sent = dict(headers)
    if call.content_type and not any(name.lower() == "content-type" for name in sent):
        sent["Content-Type"] = call.content_type
    return Target(
        address=connect[0],
        port=connect[1],
        caller=connect[2],
        host=host,
        host_port=url.port if url.port != _PORTS.get(url.scheme) else None,
        path=call.path,
        encrypted=url.scheme == "https",
        cacert=front.cacert if front else None,
        method=call.method,
        headers=sent,
        body=call.body,
        is_grpc=call.is_grpc,
    )


def _connection(
    known: deployed.Deployed,
    model: Workload,
    host: str,
    port: int,
    *,
    front: FrontEnds | None,
    address: str | None,
) -> tuple[str, int, str]:
    """The host and port to connect to, and the address to connect from. Raises CliError."""
    if address is not None:
        return *_address(address, port), ""
    kind = model.exposure.kind
    if host.endswith(_INSIDE):
        name, _, namespace = host.removesuffix(_INSIDE).partition(".")
        pod = front.pod(namespace, name, port) if front else None
        if pod is None:
            raise CliError(
                f"{model.name} is reached inside the cluster only (exposure {kind})",
                f"kubectl -n {namespace} port-forward service/{name} {port}, and --address "
                f"127.0.0.1:{port}",
            )
        return _HERE, pod, ""
    at = known.address if kind == HTTP_LOAD_BALANCER else host
    if front is None:
        return at, port, ""
    if kind == INFERENCE and (own := known.addresses.get(model.name)):
        return _HERE, front.at(own, port).listens, ""
    if kind == GATEWAY and host in model.exposure.hosts:
        return _HERE, front.other(known.address, port, host), ""
    found = front.at(at, port)
    return _HERE, found.listens, found.caller


def _address(given: str, default: int) -> tuple[str, int]:
    """Host and port of `--address`. Raises CliError."""
    host, colon, port = given.rpartition(":")
    if not colon:
        return given, default
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise CliError(f"`{given}` is no address", "write HOST or HOST:PORT", Exit.USAGE)
    return host.strip("[]"), int(port)
