"""`platformctl history`: the deployments of an environment."""

from __future__ import annotations

import os

from cli import arguments, console, environments
from cli.history import report


def history(environment: arguments.Environment, json: arguments.Json = False) -> None:
    """List the deployments of an environment: number, time, layers, result, changes and commit.

    They come from the backend, joined to git. A commit with + was deployed with changed files.
    """
    environments.checked(environment)
    found = report.read(environment, os.environ)
    if json:
        listed = [report.document(one) for one in found]
        console.document({"environment": environment, "deployments": listed})
    else:
        print(report.text(found) or f"{environment} has no deployment in this backend")
