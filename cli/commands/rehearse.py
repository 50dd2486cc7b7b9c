"""`platformctl rehearse`: deploys an environment in the sandbox."""

from __future__ import annotations

import os

from cli import arguments, console, deployment, environments, layers
from cli.commands.sandbox import running_environment

LOOK_AROUND = """
  look around    eval "$(./platformctl sandbox env)"
                 kubectl get deployments,hpa,pdb,services -A
                 cd infra/cluster && pulumi stack -s {environment}
  stop           ./platformctl sandbox stop      (reset also deletes its state)
  for real       docs/guides/real-account.md"""


def rehearse(
    environment: arguments.Environment,
    layer: arguments.Layers = None,
    start: arguments.From = None,
    list_: arguments.List = False,  # noqa: ARG001 (its callback prints and exits)
    json: arguments.Json = False,
) -> None:
    """Deploy an environment in the sandbox: no cloud account, the same programs.

    A layer reads what the layers that it needs have published, so these must be deployed.
    """
    environments.deployable(environment)
    chosen = layers.selected(layer, start)
    variables = running_environment(dict(os.environ))
    document = deployment.up(
        environment, variables, interactive=False, preview=False, layers=chosen
    )
    if json:
        console.document(document)
        return
    print("\n" + deployment.summary(document) + LOOK_AROUND.format(environment=environment))
