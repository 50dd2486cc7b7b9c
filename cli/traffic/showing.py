"""What `platformctl request` shows: the way of a request, and its answers."""

from __future__ import annotations

import sys
from typing import Any

from cli import console
from cli.routing import Plan
from cli.traffic.addresses import Way
from cli.traffic.exchange import SHOWN, Caller, Received

_MOST_BODIES = 10


def show_way(plan: Plan, way: Way, protocol: str) -> None:
    """Show which rule and backend the stack file has for it."""
    console.say(f"{way.target.method} {way.target.url}  ({protocol})")
    if way.found is None:
        console.say(f"  {'address':<9}  {way.target.address}:{way.target.port}  ({way.kind})")
        return
    if way.found.model is None:
        console.say(f"  {'rule':<9}  none: the stack file sends it to no model ({way.kind})")
        return
    console.say(f"  {'rule':<9}  {way.found.rule}  ({way.kind})")
    shares = [
        plan.backend(version, way.kind) + ("" if weight == 100 else f" {weight} %")
        for version, weight in way.found.shares
        if weight
    ]
    console.say(f"  {'backend':<9}  {', '.join(shares)}")
    if way.found.path != way.target.path:
        console.say(f"  {'path':<9}  {way.found.path}")


def exchange(way: Way, count: int, timeout: float, *, is_grpc: bool, quiet: bool) -> list[Received]:
    """Send the requests, and show each answer unless `quiet`."""

    def show(text: str) -> None:
        if not quiet:
            sys.stdout.write(text)
            sys.stdout.flush()

    caller: Any
    if is_grpc:
        from cli.traffic.grpc_call import GrpcCaller  # noqa: PLC0415 (only for gRPC)

        caller = GrpcCaller(way.target, timeout)
    else:
        caller = Caller(way.target, timeout)
    received = []
    with caller:
        for number in range(count):
            one: Received = caller.call(show)
            received.append(one)
            if not quiet:
                _show(one, with_body=number < _MOST_BODIES)
    return received


def _show(one: Received, *, with_body: bool) -> None:
    streamed = one.headers.get("content-type", "").startswith("text/event-stream")
    if with_body and streamed:
        print(flush=True)
    elif with_body and one.body:
        print(one.body + (f"… ({one.size} bytes)" if len(one.body) >= SHOWN else ""), flush=True)
    status = one.headers.get("grpc-status") or str(one.status)
    told = one.served_by
    pod = told.get("pod")
    where = ", ".join(told[key] for key in ("version", "zone", "path") if told.get(key))
    by = f"  pod {pod} ({where})" if pod else ""
    by = (
        "  HTTP/2" if one.http_version == "HTTP/2" and "grpc-status" not in one.headers else ""
    ) + by
    first = f", first byte {one.first_byte_ms:.1f} ms" if streamed else ""
    console.say(f"  {status:<9}  {one.milliseconds:.1f} ms{first}{by}")


def hint(one: Received, way: Way) -> None:
    """Say what may help after a refusal."""
    if one.status in {302, 401, 403} and way.found and way.found.members:
        who = ", ".join(way.found.members)
        console.say(f"hint: Identity-Aware Proxy admits {who}; --as EMAIL in the sandbox")
    elif one.status in {502, 503}:
        console.say("hint: no backend is healthy: kubectl get pods -A")
    elif one.status == 404:
        console.say("hint: `./platformctl routes` shows which paths reach which model")
