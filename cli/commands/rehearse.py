"""`platformctl rehearse`: `up`, in the sandbox's environment."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from cli import console, deployment, environments
from cli.commands.sandbox import running_environment

LOOK_AROUND = """
  look around    eval "$(./platformctl sandbox env)"
                 kubectl get deployments,hpa,pdb,services -A
                 cd infra/cluster && pulumi stack -s {environment}
  stop           ./platformctl sandbox stop      (reset forgets everything)
  for real       docs/guides/real-account.md"""


def rehearse(
    environment: Annotated[str, typer.Argument(help="dev, stage or prod.")],
    json: Annotated[bool, typer.Option("--json", help="Print one document on stdout.")] = False,
) -> None:
    """Deploy an environment in the sandbox: no cloud account, the same programs."""
    environments.checked(environment)
    variables = running_environment(dict(os.environ))
    document = deployment.up(environment, variables, interactive=False, preview=False)
    if json:
        console.document(document)
        return
    print("\n" + deployment.summary(document) + LOOK_AROUND.format(environment=environment))
