"""Rules about Kubernetes volumes and Secrets."""

from collections.abc import Iterator

from policies.rule import advisory, cis, kubernetes_docs, mandatory
from policies.subjects import kubernetes
from policies.values import Props, block, text

VOLUMES = kubernetes("core", "PersistentVolume")
SECRETS = kubernetes("core", "Secret")


@mandatory(
    VOLUMES,
    layer="serving",
    severity="high",
    why="A claim of a hostPath volume gives a pod the node's files, which the Pod Security "
    "Standards do not see.",
    fix="use a CSI driver, or `local` with a node affinity for a disk of the node",
    references=(kubernetes_docs("hostPath", "concepts/storage/volumes/#hostpath"),),
    passing={"metadata": {"name": "models"}, "spec": {"csi": {"driver": "pd.csi.storage.gke.io"}}},
    failing={"metadata": {"name": "models"}, "spec": {"hostPath": {"path": "/data"}}},
)
def persistent_volumes_are_not_host_paths(volume: Props) -> Iterator[str]:
    """A PersistentVolume is not a directory of the node."""
    if block(volume, "spec").get("hostPath") is not None:
        yield f"spec.hostPath is {text(volume, 'spec', 'hostPath', 'path') or 'set'}"


@advisory(
    SECRETS,
    layer="serving",
    severity="high",
    why="The token in such a Secret never expires, and anyone who reads the Secret has it.",
    fix="use a projected token (TokenRequest), or workload identity federation",
    references=(
        kubernetes_docs(
            "Service account tokens",
            "concepts/configuration/secret/#serviceaccount-token-secrets",
        ),
        cis("4.1.5"),
    ),
    passing={"metadata": {"name": "resnet"}, "type": "Opaque"},
    failing={
        "metadata": {
            "name": "resnet",
            "annotations": {"kubernetes.io/service-account.name": "resnet"},
        },
        "type": "kubernetes.io/service-account-token",
    },
)
def secrets_hold_no_account_tokens(secret: Props) -> Iterator[str]:
    """No Secret holds a service account token without an expiry date."""
    if text(secret, "type") == "kubernetes.io/service-account-token":
        account = text(
            block(secret, "metadata", "annotations"), "kubernetes.io/service-account.name"
        )
        yield f"it holds a token of {account or 'a service account'} that never expires"
