"""What may reach the nodes from outside: Google's front ends and health checks, nothing else."""

import pulumi
from pulumi_gcp import compute

from facts.front_ends import FRONT_END_RANGES
from gkeplatform.contracts import ClusterContract, ServedModel
from gkeplatform.naming import Naming
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

    None where it has no models: a rule without ports would allow all of TCP.
    """
    if not models:
        return None
    return compute.Firewall(
        name,
        name=naming.of(name),
        network=cluster.network,
        direction="INGRESS",
        source_ranges=list(FRONT_END_RANGES),
        target_tags=[cluster.node_tag],
        allows=[{"protocol": "tcp", "ports": ports(models)}],
        opts=opts,
    )


def ports(models: tuple[ServedModel, ...]) -> list[str]:
    """The ports behind the load balancer, those of health checks included, each once."""
    used = {number for model in models if model.route for number in route_ports(model.route)}
    return [str(number) for number in sorted(used)]
