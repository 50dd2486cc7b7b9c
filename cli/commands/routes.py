"""`platformctl routes`: which rule, backend and path a URL gets, without sandbox or account."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import arguments
from cli.errors import CliError, Exit
from cli.headers import parsed
from cli.traffic import options


def routes(
    environment: arguments.Environment,
    urls: Annotated[
        list[str] | None,
        typer.Argument(help="URLs, or paths on the environment's domain. Default: all rules."),
    ] = None,
    header: options.Headers = None,
    method: Annotated[
        str, typer.Option("--method", "-X", help="Shown only: no rule looks at the method.")
    ] = "GET",
    front_end: Annotated[
        str | None,
        typer.Option(
            "--front-end",
            help="http-load-balancer, gateway or ingress. Default: the one whose routes name the "
            "host, else the HTTP load balancer.",
        ),
    ] = None,
    json: arguments.Json = False,
) -> None:
    """Show which rule, backend and path a URL gets, as the stack file plans it. Sends nothing.

    Without URLs: all rules in the order in which they match, rules that nothing reaches, and the
    tests of the models' entries.

    Exit codes: 0; 1 when a URL has no answer, a test fails or nothing reaches a rule or a version.
    """
    from cli import route_reports, routing  # noqa: PLC0415 (the programs' modules are slow)

    plan = routing.plan(environment)
    if front_end is not None and front_end not in plan.front_ends:
        raise CliError(
            f"{environment} has no front end `{front_end}`",
            f"front ends: {', '.join(plan.front_ends)}",
            Exit.USAGE,
        )
    if urls:
        route_reports.look_up(plan, urls, parsed(header), method, front_end, as_json=json)
    else:
        route_reports.list_all(plan, as_json=json)
