"""The providers of the layers.

Layers use these explicitly and no default provider, so that project, region and cluster are always
the environment's own.
"""

from collections.abc import Sequence

import pulumi
import pulumi_gcp as gcp
import pulumi_kubernetes as kubernetes

from gkeplatform.contracts import SecretText
from gkeplatform.environment import Environment
from gkeplatform.labels import Labels


def google(environment: Environment, labels: Labels) -> gcp.Provider:
    """The Google Cloud provider of this environment."""
    return gcp.Provider(
        "google",
        project=environment.project,
        region=environment.region,
        default_labels=labels.google(),
    )


def cluster(kubeconfig: SecretText) -> kubernetes.Provider:
    """The Kubernetes provider for the cluster of `kubeconfig`.

    A replaced cluster has another address and certificate authority, which replaces the provider
    and all of its objects. What the old cluster held is gone with it, so the engine forgets it.
    """
    return kubernetes.Provider(
        "cluster",
        kubeconfig=kubeconfig.output(),
        enable_server_side_apply=True,
        delete_unreachable=True,
    )


def using(
    *providers: pulumi.ProviderResource, after: Sequence[pulumi.Resource] = ()
) -> pulumi.ResourceOptions:
    """Options for a component whose children use `providers` and depend on `after`."""
    return pulumi.ResourceOptions(providers=list(providers), depends_on=list(after))
