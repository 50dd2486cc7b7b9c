"""How a rehearsed environment's models are called: a line of curl for each kind of exposure."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import msgspec

from sandbox.front_ends import Frontend, Requests

_PORTS = {"http": 80, "https": 443}


def frontend_of(url: str, frontends: Iterable[Frontend]) -> Frontend | None:
    """The front end that answers for a model's URL; None where none does."""
    parts = urlsplit(url)
    port = parts.port or _PORTS.get(parts.scheme)
    fitting = [
        one
        for one in frontends
        if one.port == port
        and one.kind != "node-port"
        and (one.scheme == "https") == (parts.scheme == "https")
    ]
    by_address = (one for one in fitting if one.address == parts.hostname)
    by_host = (one for one in fitting if any(_names(host, parts) for host in one.hosts))
    found = next(by_address, None) or next(by_host, None)
    # A name that nothing resolves is some load balancer's: it is known which if there is one.
    others = [one for one in fitting if "*" in one.hosts and one.kind == "load-balancer"]
    return found or (others[0] if len(others) == 1 and _is_name(parts) else None)


def _is_name(parts: SplitResult) -> bool:
    """Whether a URL's host is a name that callers outside the cluster resolve."""
    host = parts.hostname or ""
    return not host.endswith(".svc") and not host.replace(".", "").isdigit()


def _names(host: str, parts: SplitResult) -> bool:
    """Whether a host of a URL map, perhaps with a wildcard, names the URL's."""
    asked = parts.hostname or ""
    if host.startswith("*."):
        return asked.endswith(host[1:])
    return host.lower() == asked


def command(url: str, frontend: Frontend, cacert: Path) -> str:
    """The command that sends a GET request to a URL, for a shell."""
    trust = ["--cacert", str(cacert)] if frontend.scheme == "https" else []
    caller = ["--interface", frontend.caller] if frontend.caller else []
    return shlex.join(
        ["curl", *trust, *caller, "--connect-to", f"::127.0.0.1:{frontend.listens}", url]
    )


def commands(models: Iterable[Mapping[str, Any]], requests: Requests) -> list[str]:
    """A command for the first model of each kind of front end that speaks HTTP."""
    found: dict[tuple[str, str], str] = {}
    for model in models:
        url = str(model["url"] or "")
        frontend = frontend_of(url, requests.frontends) if url.startswith("http") else None
        if frontend is not None:
            kind = frontend.kind, frontend.scheme
            found.setdefault(kind, command(url, frontend, requests.cacert))
    return list(found.values())


def document(requests: Requests) -> dict[str, Any]:
    """What `rehearse --json` says of requests."""
    return {
        "cacert": str(requests.cacert),
        "frontends": [msgspec.to_builtins(one) for one in requests.frontends],
        "problem": requests.problem,
    }


def text(models: Iterable[Mapping[str, Any]], requests: Requests) -> str:
    """What `rehearse` prints of requests, below its summary."""
    if not requests.is_available:
        return "\n  requests       none: Envoy has no binary for this platform\n"
    lines = [f"    {one}" for one in commands(models, requests)]
    if requests.problem:
        lines.append(f"    {requests.problem}")
    return "\n".join(["", "  requests", *lines, ""]) if lines else ""
