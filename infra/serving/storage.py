"""The bucket that holds the models' files, and who may read it."""

from collections.abc import Mapping

import pulumi
from pulumi_gcp import storage

from gkeplatform.buckets import kept
from gkeplatform.labels import Labels
from gkeplatform.naming import Naming
from infra.serving.catalogue import models_bucket
from infra.serving.config import ServingConfig
from infra.serving.namespace import ModelsNamespace

READER = "roles/storage.objectViewer"


class ModelStore(pulumi.ComponentResource):
    """A private bucket, readable by the model servers; so are the shared buckets."""

    bucket: storage.Bucket
    name: pulumi.Output[str]
    grants: list[storage.BucketIAMMember]

    def __init__(
        self,
        name: str,
        args: ServingConfig,
        *,
        homes: Mapping[str, ModelsNamespace],
        naming: Naming,
        labels: Labels,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
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
            **kept(args.models_bucket),
        )
        self.name = self.bucket.name
        self.grants = [
            storage.BucketIAMMember(
                grant(bucket, namespace, args),
                bucket=bucket or self.bucket.name,
                role=READER,
                member=home.google_account.member,
                opts=child,
            )
            for namespace, home in homes.items()
            for bucket in ("", *args.shared_buckets)
        ]
        self.register_outputs({"name": self.name})


def grant(bucket: str, namespace: str, args: ServingConfig) -> str:
    """What Pulumi calls the grant on `bucket`, or on the own one, to a namespace's reader."""
    if namespace == args.namespace:
        return bucket or "models"
    return f"{namespace}-{bucket}" if bucket else namespace
