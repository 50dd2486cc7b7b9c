"""The bucket that holds the models' files, and who may read it."""

import pulumi
from pulumi_gcp import storage

from gkeplatform.labels import Labels
from gkeplatform.naming import Naming
from infra.serving.catalogue import models_bucket
from infra.serving.config import ServingConfig

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
        reader: pulumi.Input[str],
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
            versioning={"enabled": args.models_bucket.versioning},
            force_destroy=args.models_bucket.force_destroy,
            labels=labels.google(),
            opts=child,
        )
        self.name = self.bucket.name
        own = storage.BucketIAMMember(
            name, bucket=self.bucket.name, role=READER, member=reader, opts=child
        )
        shared = [
            storage.BucketIAMMember(bucket, bucket=bucket, role=READER, member=reader, opts=child)
            for bucket in args.shared_buckets
        ]
        self.grants = [own, *shared]
        self.register_outputs({"name": self.name})
