"""`platformctl alerts`: which alert policies of an environment fire."""

from __future__ import annotations

from dataclasses import asdict

import typer

from cli import alerting, arguments, console
from cli.errors import Exit
from cli.traffic import options


def alerts(
    environment: arguments.Environment,
    real: options.Real = False,
    json: arguments.Json = False,
) -> None:
    """Show which alert policies fire, with what they measure.

    Of a rehearsed environment all policies are evaluated on the requests that its load balancer
    has served; of one in the account the open alerts of Cloud Monitoring are shown.
    Exit codes: 0 when none fires, 7 when one does.
    """
    project = alerting.project(environment)
    found = alerting.real(project) if real else alerting.rehearsed(project)
    if json:
        console.document({"environment": environment, "alerts": [asdict(one) for one in found]})
    else:
        for one in sorted(found, key=lambda one: one.state != alerting.FIRING):
            print(f"{one.state:<8} {one.severity:<9} {one.name}  ({one.detail})")
        firing = sum(one.state == alerting.FIRING for one in found)
        print(f"{firing} of {len(found)} fire" if not real else f"{firing} open")
    if any(one.state == alerting.FIRING for one in found):
        raise typer.Exit(Exit.CHANGES)
