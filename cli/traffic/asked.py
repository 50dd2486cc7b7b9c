"""What the command line asks for: the call, and its way to the model."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from cli import routing
from cli.errors import CliError, Exit
from cli.headers import parsed
from cli.traffic import addresses, identity
from cli.traffic.addresses import Way
from cli.traffic.calls import Call, default_call
from infra.serving.models import Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options that `request` and `load` share."""

    data: Path | None
    path: str | None
    method: str | None
    header: Iterable[str] | None
    real: bool
    address: str | None
    identity_token_file: Path | None
    caller: str | None


def call(model: Workload, options: Options) -> Call:
    """The call of a model's protocol, with what the command line changes. Raises CliError."""
    found, path, method = default_call(model), options.path, options.method
    if path is not None:
        if not path.startswith("/") or any(one.isspace() for one in path):
            raise CliError(f"`{path}` is no path", "begin with /", Exit.USAGE)
        # The body of the protocol belongs to the path of the protocol.
        other = path != found.path
        body = b"" if other else found.body
        verb = "GET" if other and not found.is_grpc else found.method
        found = replace(found, path=path, body=body, method=verb)
    if options.data is not None:
        found = replace(found, body=_content(options.data), method="POST")
    if method is not None:
        if not method.isalpha():
            raise CliError(f"`{method}` is no method", "such as GET or POST", Exit.USAGE)
        found = replace(found, method=method.upper())
    return found


def _content(data: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(data) == "-" else data.read_bytes()
    except OSError as error:
        raise CliError(f"{data}: {error.strerror}", "", Exit.USAGE) from None


def way(plan: routing.Plan, model: Workload, asked: Call, options: Options) -> Way:
    """The way of a call, with the caller's identity where the model needs one. Raises CliError."""
    given, file = parsed(options.header), options.identity_token_file
    found = addresses.way(plan, model, asked, given, real=options.real, address=options.address)
    members = found.found.members if found.found else ()
    is_guarded = bool(members) or getattr(model.exposure, "is_behind_iap", False)
    if not (is_guarded or file) or any(one.lower() == "authorization" for one in given):
        return found
    token = identity.token(
        members, found.target.host, real=options.real, file=file, email=options.caller
    )
    sent = {**found.target.headers, "Authorization": f"Bearer {token}"}
    return replace(found, target=replace(found.target, headers=sent))
