"""`platformctl load`: an open-loop load on a model, with live figures."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

import typer

from cli import arguments, console
from cli.errors import CliError, Exit
from cli.traffic import options


def load(  # noqa: PLR0913, PLR0917 (an option each)
    environment: arguments.Environment,
    model: options.Model,
    rate: Annotated[
        float, typer.Option("--rate", min=0.1, max=100_000, help="Requests a second.")
    ] = 50.0,
    seconds: Annotated[
        float, typer.Option("--seconds", min=0.1, help="How long requests are sent.")
    ] = 30.0,
    data: options.Data = None,
    path: options.CallPath = None,
    method: options.Method = None,
    header: options.Headers = None,
    connections: Annotated[
        int,
        typer.Option(
            "--connections",
            min=1,
            max=10_000,
            help="Most connections, of HTTP/2 and gRPC most requests under way; then they wait.",
        ),
    ] = 256,
    timeout: options.Timeout = 30.0,
    fail_on_loss: Annotated[
        bool, typer.Option("--fail-on-loss", help="Exit with 1 if a request was lost.")
    ] = False,
    http2: Annotated[
        bool,
        typer.Option("--http2", help="Offer HTTP/2 alone: many requests share a connection."),
    ] = False,
    real: options.Real = False,
    address: options.Address = None,
    identity_token_file: options.TokenFile = None,
    caller: options.Caller = None,
    json: arguments.Json = False,
) -> None:
    """Send requests to a model at a rate, whether or not earlier ones have been answered.

    A latency is measured from the time at which a request was to be sent. A request is lost if it
    has no answer, or one of 500 or more. Ctrl-C ends the load with its summary.
    """
    from cli import routing  # noqa: PLC0415 (the programs' modules are slow)
    from cli.courses import following, record  # noqa: PLC0415
    from cli.courses.course import ENDED, LOAD, Course  # noqa: PLC0415
    from cli.traffic import asked, running, source_ranges  # noqa: PLC0415

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
    if known.exposure.kind == "cluster-ip" and address is None:
        raise CliError(
            f"{model} is reached inside the cluster only: a load would meet one pod of it",
            "send it to a port of your own: --address HOST:PORT",
            Exit.USAGE,
        )
    way = asked.way(plan, known, call, given)
    if http2 and not way.target.encrypted:
        raise CliError(
            f"{way.target.url}: load balancers speak HTTP/2 to callers over TLS alone",
            "leave --http2 out" + ("; gRPC is HTTP/2 already" if call.is_grpc else ""),
            Exit.USAGE,
        )
    way = replace(way, target=replace(way.target, is_http2=http2))
    kind = "gRPC" if call.is_grpc else way.target.method + (" by HTTP/2" if http2 else "")
    console.say(f"{kind} {way.target.url}  {rate:g} requests/s for {seconds:g} s")
    with record.kept(environment, _variables(real=real)) as keep:
        begun = Course(
            name=LOAD,
            environment=environment,
            model=model,
            url=way.target.url.partition("?")[0],  # a query may hold a key
            rate=rate,
            began=following.now(),
        )
        follower = following.Follower(begun, keep)
        result = running.run(
            way.target,
            rate=rate,
            seconds=seconds,
            connections=connections,
            timeout=timeout,
            live=not json,
            note=follower.note,
        )
        follower.note(result, state=ENDED)
    if json:
        content = {"environment": environment, "model": model, "url": way.target.url}
        console.document({**content, "rate": rate, **result.document()})
    else:
        print(running.summary(result))
        if not result.statuses and (hint := source_ranges.hint(plan, known)):
            console.say(f"hint: {hint}")
    if fail_on_loss and result.total_lost:
        raise typer.Exit(Exit.ERROR)


def _variables(*, real: bool) -> Mapping[str, str] | None:
    """Where the course is kept; None without a sandbox: `--address` needs none."""
    from cli.traffic.deployed import sandbox_variables  # noqa: PLC0415 (as above)

    try:
        return os.environ if real else sandbox_variables()
    except CliError:
        return None
