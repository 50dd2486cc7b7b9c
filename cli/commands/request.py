"""`platformctl request`: sends a prediction as a caller would, and shows the way it took."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import arguments, console
from cli.errors import CliError, Exit
from cli.traffic import options


def request(  # noqa: PLR0913, PLR0917 (an option each)
    environment: arguments.Environment,
    model: options.Model,
    data: options.Data = None,
    path: options.CallPath = None,
    method: options.Method = None,
    header: options.Headers = None,
    count: Annotated[int, typer.Option("--count", min=1, help="Requests, one after another.")] = 1,
    timeout: options.Timeout = 60.0,
    real: options.Real = False,
    address: options.Address = None,
    identity_token_file: options.TokenFile = None,
    caller: options.Caller = None,
    json: arguments.Json = False,
) -> None:
    """Send a prediction to a model as a caller would, and show the way it took.

    The body of the answer goes to stdout. Exit codes: 0; 1 when a request has no answer, or a
    status of 400 or more.
    """
    from cli import routing  # noqa: PLC0415 (the programs' modules are slow)
    from cli.route_reports import described  # noqa: PLC0415
    from cli.traffic import asked, showing, source_ranges  # noqa: PLC0415

    given = asked.Options(
        data=data,
        path=path,
        method=method,
        header=header,
        real=real,
        address=address,
        identity_token_file=identity_token_file,
        caller=caller,
    )
    plan = routing.plan(environment)
    known = plan.model(model)
    call = asked.call(known, given)
    way = asked.way(plan, known, call, given)
    if not json:
        showing.show_way(plan, way, call.protocol)
    try:
        received = showing.exchange(way, count, timeout, is_grpc=call.is_grpc, quiet=json)
    except CliError as error:
        raise source_ranges.explained(error, plan, known) from None
    if json:
        console.document(
            {
                "environment": environment,
                "model": model,
                "protocol": call.protocol,
                "method": way.target.method,
                "url": way.target.url,
                "route": described(plan, way.kind, way.found) if way.found else None,
                "answers": [one.document() for one in received],
            }
        )
    if any(one.status >= 400 for one in received):
        if not json:
            showing.hint(received[-1], way)
        raise typer.Exit(Exit.ERROR)
