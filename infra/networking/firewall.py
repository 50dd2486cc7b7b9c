"""What may reach the nodes from outside: Google's front ends and health checks, nothing else."""

import pulumi
from pulumi_gcp import compute

from facts.front_ends import FRONT_END_RANGES
from gkeplatform.contracts import ClusterContract, ServedModel
from gkeplatform.naming import Naming, digest
from infra.networking.health_checks import ports as route_ports


def front_ends(
    name: str,
    *,
    models: tuple[ServedModel, ...],
    cluster: ClusterContract,
    naming: Naming,
    opts: pulumi.ResourceOptions,
) -> compute.Firewall | None:
    """Allows the load balancer to reach the models on their ports.

    Other ports get a rule of another name: the engine creates it first, and deletes the former one
    at the end, so that no port closes while requests still go to it. None where the load balancer
    has no models: a rule without ports would allow all of TCP.
    """
    if not models:
        return None
    numbers = ports(models)
    role = f"{name}-{digest(' '.join(numbers))}"
    return compute.Firewall(
        role,
        name=naming.of(role),
        network=cluster.network,
        direction="INGRESS",
        source_ranges=list(FRONT_END_RANGES),
        target_tags=[cluster.node_tag],
        allows=[{"protocol": "tcp", "ports": numbers}],
        opts=opts,
    )


def ports(models: tuple[ServedModel, ...]) -> list[str]:
    """The ports behind the load balancer, those of health checks included, each once."""
    used = {number for model in models if model.route for number in route_ports(model.route)}
    return [str(number) for number in sorted(used)]
