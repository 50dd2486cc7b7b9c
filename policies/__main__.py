"""Entry point of the policy pack for the engine. The rules are in `policies.registry`."""

from policies.server import NAME, PolicyPack, errors_in_one_line

with errors_in_one_line():
    from policies.crossguard import policies
    from policies.registry import RULES

    PolicyPack(
        NAME,
        policies(RULES),
        description="Rules for the resources of the platform's layers and of any GKE cluster.",
    )
