"""The component of the bucket for model files and of read access to it."""

from collections.abc import Mapping, Sequence

import pulumi
from pulumi_gcp import storage

from gkeplatform.buckets import BucketArgs, protection
from gkeplatform.labels import Labels
from gkeplatform.naming import Naming
from infra.serving.tenancy.namespaces import ModelsNamespace

READER = "roles/storage.objectViewer"


class ModelStore(pulumi.ComponentResource):
    """A private bucket. Model servers may read it, and the shared buckets too."""

    bucket: storage.Bucket
    name: pulumi.Output[str]
    grants: list[storage.BucketIAMMember]

    def __init__(
        self,
        name: str,
        args: BucketArgs,
        *,
        shared_buckets: Sequence[str],
        namespaces: Mapping[str, ModelsNamespace],
        naming: Naming,
        labels: Labels,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`shared_buckets` are managed elsewhere; they only get read access."""
        super().__init__("gkeplatform:serving:ModelStore", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.bucket = storage.Bucket(
            name,
            name=models_bucket(naming),
            location=naming.environment.region.upper(),
            uniform_bucket_level_access=True,
            public_access_prevention="enforced",
            labels=labels.google(),
            opts=child,
            **protection(args),
        )
        self.name = self.bucket.name
        self.grants = [
            storage.BucketIAMMember(
                logical_name(shared, namespace),
                bucket=shared or self.bucket.name,
                role=READER,
                member=namespace.google_account.member,
                opts=child,
            )
            for namespace in namespaces.values()
            for shared in ("", *shared_buckets)
        ]
        self.register_outputs({"name": self.name})


def models_bucket(naming: Naming) -> str:
    """The name of the environment's bucket for model files."""
    return naming.of("models")


def logical_name(shared: str, namespace: ModelsNamespace) -> str:
    """The logical name of a grant on a shared bucket, or (empty) on the environment's own."""
    if namespace.team is None:
        return shared or "models"
    return f"{namespace.name}-{shared}" if shared else namespace.name
