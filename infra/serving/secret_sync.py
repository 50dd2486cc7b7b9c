"""The objects that copy a model's secrets from Secret Manager into the cluster."""

from collections.abc import Sequence

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource

from infra.serving.manifest import Manifest, sdk
from infra.serving.models import secrets
from infra.serving.models.secrets import SyncedSecret

CLASSES = "secrets-store.csi.x-k8s.io/v1"
SYNCS = "secret-sync.gke.io/v1"
WAIT = {
    # Set by the controller once the Secret exists.
    "pulumi.com/waitFor": "jsonpath={.status.lastSuccessfulSyncTime}",
    "pulumi.com/timeoutSeconds": "120",
}


def synchronize(
    owner: str,
    read: Sequence[SyncedSecret],
    *,
    account: str,
    project: str,
    metadata: Manifest,
    parent: pulumi.Resource,
) -> list[pulumi.Resource]:
    """One SecretProviderClass and one SecretSync for each secret that `owner` reads.

    Their names begin with `owner`. The returned SecretSyncs are complete when their Secrets exist:
    what depends on them is not touched while a version is missing or may not be read.
    """
    found: list[pulumi.Resource] = []
    for secret in read:
        name = secret.name(owner)
        own = {**metadata, "name": name}
        provider_class = CustomResource(
            name,
            api_version=CLASSES,
            kind="SecretProviderClass",
            metadata=sdk(own),
            spec=secrets.provider_class(secret, project=project),
            opts=pulumi.ResourceOptions(parent=parent),
        )
        found.append(
            CustomResource(
                name,
                api_version=SYNCS,
                kind="SecretSync",
                metadata=sdk({**own, "annotations": WAIT}),
                spec=secrets.secret_sync(name, account=account),
                opts=pulumi.ResourceOptions(parent=parent, depends_on=[provider_class]),
            )
        )
    return found
