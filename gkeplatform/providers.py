"""The providers of the layers.

Layers use these explicitly and no default provider, so that project, region and cluster are always
the environment's own.
"""

import os
from collections.abc import Sequence

import pulumi
import pulumi_gcp as gcp
import pulumi_kubernetes as kubernetes

from gkeplatform.contracts import SecretText
from gkeplatform.engine_variables import FORGET
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

    A declared field is taken back from whoever changed it: without that, a preview ends with a
    field conflict once somebody has used kubectl. A ConfigMap changes in place: without that, it is
    deleted and made again, and a pod that starts in between waits for it.

    A replaced cluster has another address and certificate authority, which replaces the provider
    and all of its objects. What the old cluster held is gone with it; the engine forgets it with
    `FORGET`=true. The option of that name is not set here: it would hold for a refresh as well,
    where a network that is down would empty the state.
    """
    # The SDK would write the variable of one run into the state, as an option of the provider.
    os.environ.pop(FORGET, None)
    return kubernetes.Provider(
        "cluster",
        kubeconfig=kubeconfig.output(),
        enable_server_side_apply=True,
        enable_patch_force=True,
        enable_config_map_mutable=True,
    )


def using(
    *providers: pulumi.ProviderResource, after: Sequence[pulumi.Resource] = ()
) -> pulumi.ResourceOptions:
    """Options for a component whose children use `providers` and depend on `after`."""
    return pulumi.ResourceOptions(providers=list(providers), depends_on=list(after))
